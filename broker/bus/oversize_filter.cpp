#include "broker/bus/oversize_filter.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace weir {
namespace {

constexpr std::string_view kNil = "$-1\r\n";
constexpr std::size_t kHeaderBytesMax = 32;  // "$" and a 64-bit number need less.

void append_if_any(std::string_view bytes, std::vector<std::string_view>& passed) {
  if (!bytes.empty()) passed.push_back(bytes);
}

}  // namespace

// RESP2 is flat to this filter: the header of an array is a line like any other, and only a bulk string holds
// bytes that must not be looked at. So large strings are skipped over and nothing is copied.
void OversizeFilter::filter(std::string_view bytes, std::vector<std::string_view>& passed) {
  released_.clear();
  std::size_t begin = 0;  // Of what passes and was not appended yet.
  std::size_t at = 0;
  while (at < bytes.size()) {
    switch (state_) {
      case State::kItem: {
        const char type = bytes[at];
        const bool is_line = type == '*' || type == '+' || type == '-' || type == ':';
        state_ = type == '$' ? State::kHeader : is_line ? State::kLine : State::kBroken;
        break;
      }
      case State::kLine: {
        const std::size_t end = bytes.find('\n', at);
        at = end == std::string_view::npos ? bytes.size() : end + 1;
        if (end != std::string_view::npos) state_ = State::kItem;
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
        held_.append(bytes.substr(at, end + 1 - at));
        state_ = state_after(held_);
        if (was_cut || state_ == State::kDiscard) {
          append_if_any(bytes.substr(begin, at - begin), passed);
          begin = end + 1;
        }
        if (state_ == State::kDiscard) {
          passed.push_back(kNil);
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
      case State::kBroken:
        at = bytes.size();
        break;
    }
  }
  append_if_any(bytes.substr(begin), passed);
}

OversizeFilter::State OversizeFilter::state_after(std::string_view header) {
  if (header == kNil) return State::kItem;
  std::size_t length = 0;
  const char* const end = header.data() + header.size() - 2;  // Of the digits, if it ends as it should.
  const auto parsed = std::from_chars(header.data() + 1, end, length);
  if (header.size() < 4 || !header.ends_with("\r\n") || parsed.ec != std::errc() || parsed.ptr != end) {
    return State::kBroken;
  }
  left_ = length + 2;
  return length > bulk_bytes_max_ ? State::kDiscard : State::kBulk;
}

}  // namespace weir
