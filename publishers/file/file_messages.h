// The messages that carry a file (docs/publishers.md).
//
// Threads: any; pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

// The most bytes of a file in the Buffer form: each becomes up to four bytes of JSON.
inline constexpr std::uint64_t kBufferFormBytesMax = 256 << 10;

// {"msg":{"type":"Buffer","data":[1,2,…]}}: the JSON.stringify form of a Node Buffer.
std::string encode_buffer(std::string_view bytes);

// {"type":"file","data":{"name":…,"size":…,"sha256":…,"parts":…}}. Bytes of the name that are not UTF-8 are
// replaced.
std::string encode_file(std::string name, std::uint64_t size, const std::string& sha256, std::uint64_t parts);

// {"type":"part","data":{"n":…,"offset":…,"base64":"…"}}: n counts from 0, offset is in bytes of the file.
std::string encode_part(std::uint64_t n, std::uint64_t offset, std::string_view bytes);

// How many parts of `part_bytes` a file of `size` has; an empty file has none.
constexpr std::uint64_t count_parts(std::uint64_t size, std::uint64_t part_bytes) {
  return (size + part_bytes - 1) / part_bytes;
}

}  // namespace weir
