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
        if (state_ == State::kBroken && kResp3Types.find(type) != std::string_view::npos) {
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
        if (!is_cut && (end > at ? bytes[end - 1] == '\r' : is_after_cr_)) state_ = State::kItem;
        at = is_cut ? bytes.size() : end + 1;
        is_after_cr_ = bytes[at - 1] == '\r';
        break;
      }
      case State::kHeader: {
        const std::size_t end = bytes.find('\n', at);
        if (end == std::string_view::npos) {
          append_if_any(bytes.substr(begin, at - begin), passed);
          held_.append(bytes.substr(at));
          if (held_.size() > kHeaderBytesMax) {
            state_ = State::kBroken;
            released_.swap(held_);
            passed.push_back(released_);
          }
          return;
        }
        const bool was_cut = !held_.empty();
        std::string_view header = bytes.substr(at, end + 1 - at);
        if (was_cut) header = held_.append(header);
        state_ = state_after(header);
        const bool is_replaced = state_ == State::kDiscard || state_ == State::kRefused;
        if (was_cut || is_replaced) {
          append_if_any(bytes.substr(begin, at - begin), passed);
          begin = end + 1;
        }
        if (is_replaced) {
          passed.push_back(state_ == State::kDiscard ? kNil : kNotResp);
        } else if (was_cut) {
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
        if (left_ == 0) state_ = State::kItem;
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
  if (header == kNil || header == kNilArray) return State::kItem;
  // A longer header is given up as soon as it is cut, so refuse it whole as well: the arrival
  // of bytes must not decide.
  if (header.size() > kHeaderBytesMax || header.size() < 4 || !header.ends_with("\r\n"))
    return State::kBroken;
  std::size_t number = 0;
  const char* const end = header.data() + header.size() - 2;
  const auto parsed = std::from_chars(header.data() + 1, end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end || number > kLengthMax) return State::kBroken;
  if (header.front() == '*') return number > kElementsMax ? State::kRefused : State::kItem;
  left_ = number + 2;
  return number > bulk_bytes_max_ ? State::kDiscard : State::kBulk;
}

}  // namespace weir
