// Eight bytes of a text at once: a search that needs no more of the processor than its word. The first byte
// is the lowest one of the number, whatever the processor's own order is; results have the top bit of each
// byte that was found.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace weir {

using EightBytes = std::uint64_t;
inline constexpr EightBytes kEachByte = 0x0101010101010101;
inline constexpr EightBytes kTopBits = 0x80 * kEachByte;

// Requires that eight bytes can be read at `at`.
inline EightBytes load_eight(const char* at) {
  EightBytes word;
  std::memcpy(&word, at, sizeof word);
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
  return word;
}

// Copies so many bytes. Not by memcpy(), which _FORTIFY_SOURCE makes a call of where it knows how large an
// array is: the caller has made sure that there is room.
inline void copy_eight(char* to, const char* from) { __builtin_memcpy(to, from, 8); }
inline void copy_four(char* to, const char* from) { __builtin_memcpy(to, from, 4); }

// The bytes that are below `limit`, which is at most 0x80, and perhaps some behind the first of them: good
// for bytes_before() alone.
inline EightBytes first_below(EightBytes word, unsigned char limit) {
  return (word - limit * kEachByte) & ~word & kTopBits;
}
inline EightBytes first_equal(EightBytes word, char c) {
  return first_below(word ^ (static_cast<unsigned char>(c) * kEachByte), 1);
}

// The bytes that are `c`, exactly.
inline EightBytes all_equal(EightBytes word, char c) {
  word ^= static_cast<unsigned char>(c) * kEachByte;
  return ~(((word & ~kTopBits) + ~kTopBits) | word | ~kTopBits);
}

// How many bytes stand before the first one that was found: 8 if none was.
inline std::size_t bytes_before(EightBytes found) {
  return found == 0 ? 8 : static_cast<std::size_t>(std::countr_zero(found)) / 8;
}

// How many bytes were found.
inline std::size_t count_bytes(EightBytes found) {
  return static_cast<std::size_t>((found >> 7) * kEachByte >> 56);
}

}  // namespace weir
