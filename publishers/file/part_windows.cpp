#include "publishers/file/part_windows.h"

#include <algorithm>

#include "publishers/file/file_messages.h"

namespace weir {

PartWindows::PartWindows(const FileSource& file, std::size_t part_bytes, std::uint64_t window_bytes_max)
    : file_(file), part_bytes_(part_bytes), window_bytes_max_(window_bytes_max) {}

std::optional<Error> PartWindows::next(PartWindow& window) {
  window.payloads.clear();
  window.first = n_;
  window.file_bytes = window.encoded_bytes = 0;
  std::uint64_t largest = 0;
  while (offset_ < file_.size() && window.payloads.size() < kWindowPartsMax) {
    // The next part is hardly longer than those before it.
    if (!window.payloads.empty() && window.encoded_bytes + largest > window_bytes_max_) break;
    const auto bytes = file_.read(offset_, part_bytes_);
    if (!bytes) return bytes.error();
    sum_.add(*bytes);
    window.payloads.push_back(encode_part(n_++, offset_, *bytes));
    offset_ += bytes->size();
    window.file_bytes += bytes->size();
    window.encoded_bytes += window.payloads.back().size();
    largest = std::max<std::uint64_t>(largest, window.payloads.back().size() + 2);
  }
  return std::nullopt;
}

}  // namespace weir
