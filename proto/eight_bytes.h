// Searches eight bytes of a text at once, in a plain 64-bit integer: no vector instructions. The first byte
// is the lowest one of the integer on every processor. A search returns an integer in which the top bit of
// each byte it found is set.
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

// Copy eight or four bytes. The caller has made sure that there is room. std::memcpy() would not do: where
// _FORTIFY_SOURCE knows the size of an array, it turns the copy into a call.
inline void copy_eight(char* to, const char* from) { __builtin_memcpy(to, from, 8); }
inline void copy_four(char* to, const char* from) { __builtin_memcpy(to, from, 4); }

// Finds the first byte below `limit`, which is at most 0x80. Bytes after it may be marked wrongly, so use the
// result only for bytes_before().
inline EightBytes first_below(EightBytes word, unsigned char limit) {
  return (word - limit * kEachByte) & ~word & kTopBits;
}
// Finds the first byte that is `c`, with the same restriction.
inline EightBytes first_equal(EightBytes word, char c) {
  return first_below(word ^ (static_cast<unsigned char>(c) * kEachByte), 1);
}

// Finds exactly the bytes that are `c`.
inline EightBytes all_equal(EightBytes word, char c) {
  word ^= static_cast<unsigned char>(c) * kEachByte;
  return ~(((word & ~kTopBits) + ~kTopBits) | word | ~kTopBits);
}

// The number of bytes before the first one that was found; 8 if none was.
inline std::size_t bytes_before(EightBytes found) {
  return found == 0 ? 8 : static_cast<std::size_t>(std::countr_zero(found)) / 8;
}

// The number of bytes that were found. Requires an exact result, as all_equal() gives.
inline std::size_t count_bytes(EightBytes found) {
  return static_cast<std::size_t>((found >> 7) * kEachByte >> 56);
}

}  // namespace weir
