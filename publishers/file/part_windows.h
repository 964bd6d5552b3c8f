// The messages of a file's parts, a window at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "publishers/file/file_source.h"
#include "publishers/program/sha256.h"

namespace weir {

struct PartWindow {
  std::vector<std::string> payloads;
  std::uint64_t first = 0;          // The number of the first part.
  std::uint64_t file_bytes = 0;     // Carried by the payloads.
  std::uint64_t encoded_bytes = 0;  // All payloads together.
};

// Reads the file once, from its start, and takes its digest on the way.
//
// Threads: one. Limits: a window has at most kWindowPartsMax parts, and at most `window_bytes_max` encoded
// bytes, but at least one part.
class PartWindows {
 public:
  static constexpr std::size_t kWindowPartsMax = 1'024;

  // `file` outlives this object.
  PartWindows(const FileSource& file, std::size_t part_bytes, std::uint64_t window_bytes_max);

  // Replaces `window` by the next one, which is empty at the end of the file. Returns why the file can't be
  // read, if so.
  std::optional<Error> next(PartWindow& window);
  // The digest of all that was read. Call it last.
  std::string digest() { return sum_.finish(); }

 private:
  const FileSource& file_;
  const std::size_t part_bytes_;
  const std::uint64_t window_bytes_max_;
  std::uint64_t n_ = 0;
  std::uint64_t offset_ = 0;
  Sha256 sum_;
};

}  // namespace weir
