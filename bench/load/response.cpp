#include "bench/load/response.h"

#include <algorithm>
#include <cctype>
#include <limits>

namespace weir::bench {

bool ResponseReader::read_head(std::string_view& bytes) {
  constexpr std::size_t kHeadBytesMax = 64 << 10;
  const std::size_t before = head_.size();
  head_ += bytes;
  const std::size_t end = head_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
  if (end == std::string::npos) {
    bytes = {};
    return head_.size() <= kHeadBytesMax;
  }
  bytes.remove_prefix(end + 4 - before);
  if (!head_.starts_with("HTTP/1.1 200 ")) return false;
  head_.resize(end + 4);
  std::string lower = head_;
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  if (lower.find("\r\ntransfer-encoding: chunked\r\n") != std::string::npos) {
    state_ = State::kSize;
  } else {
    state_ = State::kDataWithoutChunks;
    left_ = std::numeric_limits<std::size_t>::max();
  }
  std::string().swap(head_);  // There may be very many of these.
  return true;
}

bool ResponseReader::read_size(std::string_view& bytes) {
  while (!bytes.empty()) {
    const char c = bytes.front();
    bytes.remove_prefix(1);
    if (c == '\r') continue;
    if (c == '\n') {
      if (line_is_empty_) {
        line_is_empty_ = false;
        continue;
      }
      in_extension_ = false;
      state_ = left_ == 0 ? State::kEnd : State::kData;
      return true;
    }
    if (in_extension_) continue;
    line_is_empty_ = false;
    if (c == ';') {
      in_extension_ = true;
    } else if (std::isxdigit(static_cast<unsigned char>(c)) && left_ < (std::size_t{1} << 40)) {
      left_ = left_ * 16 + static_cast<std::size_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace weir::bench
