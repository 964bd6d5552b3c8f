// Where a line comes from. Idempotency keys are made of it, so that a line that is read again has the same key.
//
// Threads: any; pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace weir {

struct LinePlace {
  // What the file holds since it was begun: FilePosition::life.
  std::uint64_t life = 0;
  // The line's first byte in the file. A line that was put together begins where its first part does.
  std::uint64_t offset = 0;
  // Counts the lines that a LineFormat has made of the same parts.
  std::uint32_t part = 0;
  // The first byte in its line of a piece that was cut for a receiver.
  std::uint32_t cut = 0;
};

// The idempotency key of a line of `bytes` bytes: at most 100 characters. The length tells a last line without LF from
// the same line when the rest of it has come.
std::string idempotency_key(const LinePlace& place, std::size_t bytes);

}  // namespace weir
