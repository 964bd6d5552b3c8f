#include "broker/base/keyed_hash.h"

#include <unistd.h>

#include <bit>
#include <cstdlib>
#include <cstring>

namespace weir {
namespace {

// The state of SipHash, named as in the paper (Aumasson and Bernstein, 2012).
struct SipState {
  std::uint64_t v0;
  std::uint64_t v1;
  std::uint64_t v2;
  std::uint64_t v3;

  void round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }

  void take(std::uint64_t block) {
    v3 ^= block;
    round();
    v0 ^= block;
  }
};

constexpr std::size_t kBlock = sizeof(std::uint64_t);

// A block, its first byte lowest.
std::uint64_t load(const char* bytes) {
  std::uint64_t block = 0;
  std::memcpy(&block, bytes, kBlock);
  if constexpr (std::endian::native == std::endian::big) block = __builtin_bswap64(block);
  return block;
}

// The last `count` bytes before `end`, less than a block. `size` is the size of the whole text.
std::uint64_t load_rest(const char* end, std::size_t count, std::size_t size) {
  if (count == 0) return 0;
  if (size >= kBlock) return load(end - kBlock) >> (8 * (kBlock - count));
  std::uint64_t rest = 0;
  for (const char* at = end - count; at < end; ++at) {
    rest |= static_cast<std::uint64_t>(static_cast<unsigned char>(*at)) << (8 * (at - (end - count)));
  }
  return rest;
}

}  // namespace

HashKey HashKey::random() {
  HashKey key;
  // getentropy() fails only if the system call is missing. A key that can be guessed would be no key.
  if (::getentropy(&key, sizeof(key)) != 0) std::abort();
  return key;
}

std::uint64_t keyed_hash(const HashKey& key, std::string_view bytes) {
  SipState state{key.first ^ 0x736f6d6570736575, key.second ^ 0x646f72616e646f6d,
                 key.first ^ 0x6c7967656e657261, key.second ^ 0x7465646279746573};
  const std::size_t size = bytes.size();
  const char* const end = bytes.data() + size;
  const std::size_t rest = size % kBlock;
  for (const char* at = bytes.data(); at < end - rest; at += kBlock) state.take(load(at));
  state.take(load_rest(end, rest, size) | static_cast<std::uint64_t>(size) << 56);
  state.v2 ^= 0xff;
  for (int i = 0; i < 3; ++i) state.round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

}  // namespace weir
