#include "broker/bus/oversize_filter.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>

namespace weir {
namespace {

constexpr std::string_view kNil = "$-1\r\n";
constexpr std::string_view kNilArray = "*-1\r\n";
constexpr std::string_view kNotResp = "?\r\n";
constexpr std::string_view kResp3Types = "_#,(!=%~>|";  // Newer parsers know them; weir never asks for them.
constexpr std::size_t kHeaderBytesMax = 32;             // "$" and a 64-bit number need less.
constexpr std::size_t kLengthMax = std::numeric_limits<std::int64_t>::max() - 2;

void append_if_any(std::string_view bytes, std::vector<std::string_view>& passed) {
  if (!bytes.empty()) passed.push_back(bytes);
}

}  // namespace

// RESP2 is flat to this filter: an array's header is followed by items like any other, and only a bulk string
// holds bytes that must not be interpreted. So it skips over large strings and copies nothing.
void OversizeFilter::filter(std::string_view bytes, std::vector<std::string_view>& passed) {
  released_.clear();
  std::size_t begin = 0;  // The first byte that passes and was not appended yet.
  std::size_t at = 0;
  while (at < bytes.size()) {
    switch (state_) {
      case State::kItem: {
        const char type = bytes[at];
        const bool is_line = type == '+' || type == '-' || type == ':';
        const bool is_header = type == '$' || type == '*';
        state_ = is_header ? State::kHeader : is_line ? State::kLine : State::kBroken;
        // Within a discarded array nothing else has reached the parser.
        const bool is_shown = to_skip_ == 0 && kResp3Types.find(type) == std::string_view::npos;
        if (state_ == State::kBroken && !is_shown) {
          append_if_any(bytes.substr(begin, at - begin), passed);
          passed.push_back(kNotResp);
          begin = at;
        }
        break;
      }
      case State::kLine: {
        // End the line at the parser's CRLF: a bare LF is part of the line.
        const std::size_t end = bytes.find('\n', at);
        const bool is_cut = end == std::string_view::npos;
        const bool is_end = !is_cut && (end > at ? bytes[end - 1] == '\r' : is_after_cr_);
        at = is_cut ? bytes.size() : end + 1;
        is_after_cr_ = bytes[at - 1] == '\r';
        if (to_skip_ > 0) begin = at;
        if (is_end) end_item();
        break;
      }
      case State::kHeader: {
        const std::size_t end = bytes.find('\n', at);
        if (end == std::string_view::npos) {
          append_if_any(bytes.substr(begin, at - begin), passed);
          held_.append(bytes.substr(at));
          if (held_.size() > kHeaderBytesMax) {
            state_ = State::kBroken;
            if (to_skip_ > 0) passed.push_back(kNotResp);
            released_.swap(held_);
            passed.push_back(released_);
          }
          return;
        }
        const bool was_cut = !held_.empty();
        std::string_view header = bytes.substr(at, end + 1 - at);
        if (was_cut) header = held_.append(header);
        const bool was_skipping = to_skip_ > 0;
        state_ = state_after(header);
        const std::string_view instead = instead_of_header(was_skipping);
        // What is broken passes, for the parser to report it.
        const bool is_shown = state_ == State::kBroken || (instead.empty() && !was_skipping);
        if (was_cut || !is_shown || !instead.empty()) {
          append_if_any(bytes.substr(begin, at - begin), passed);
          begin = is_shown && !was_cut ? at : end + 1;
        }
        append_if_any(instead, passed);
        if (is_shown && was_cut) {
          released_.swap(held_);
          passed.push_back(released_);
        }
        held_.clear();
        at = end + 1;
        break;
      }
      case State::kBulk:
      case State::kDiscard: {
        const std::size_t step = std::min(left_, bytes.size() - at);
        at += step;
        left_ -= step;
        if (state_ == State::kDiscard) begin = at;
        if (left_ == 0) end_item();
        break;
      }
      case State::kRefused:
      case State::kBroken:
        at = bytes.size();
        break;
    }
  }
  append_if_any(bytes.substr(begin), passed);
}

OversizeFilter::State OversizeFilter::state_after(std::string_view header) {
  if (header == kNil || header == kNilArray) {
    end_item();
    return State::kItem;
  }
  // A longer header is given up as soon as it is cut, so refuse it whole as well: the arrival
  // of bytes must not decide.
  if (header.size() > kHeaderBytesMax || header.size() < 4 || !header.ends_with("\r\n"))
    return State::kBroken;
  std::size_t number = 0;
  const char* const end = header.data() + header.size() - 2;
  const auto parsed = std::from_chars(header.data() + 1, end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end || number > kLengthMax) return State::kBroken;
  if (header.front() == '*') return state_after_array(number);
  left_ = number + 2;
  return number > bulk_bytes_max_ || to_skip_ > 0 ? State::kDiscard : State::kBulk;
}

OversizeFilter::State OversizeFilter::state_after_array(std::size_t elements) {
  if (elements > kDiscardedElementsMax) return State::kRefused;
  const bool is_skipped = to_skip_ > 0;
  if (is_skipped || elements > kElementsMax) to_skip_ += elements;
  if (is_skipped) end_item();
  return State::kItem;
}

std::string_view OversizeFilter::instead_of_header(bool was_skipping) const {
  if (state_ == State::kRefused || (state_ == State::kBroken && was_skipping)) return kNotResp;
  if (was_skipping) return {};
  if (to_skip_ > 0) return kNilArray;
  return state_ == State::kDiscard ? kNil : std::string_view();
}

void OversizeFilter::end_item() {
  state_ = State::kItem;
  if (to_skip_ > 0) --to_skip_;
}

}  // namespace weir
