// A hash for names that come from outside: channels, addresses. Its key is secret; otherwise a client could
// choose names that share a bucket, and each look-up would walk past all of them.
//
// Every unordered container with keys from outside is one of those below; scripts/lint looks for others.
// Threads: any; the hash is a pure function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace weir {

struct HashKey {
  std::uint64_t first = 0;
  std::uint64_t second = 0;

  // A new key from the kernel. Use it for one container only: anything visible made from it, such as an epoch
  // or a jittered time, would give it away.
  static HashKey random();
};

// SipHash-1-3, which Rust's and Python's maps use.
std::uint64_t keyed_hash(const HashKey& key, std::string_view bytes);

// Not noexcept: then libstdc++ keeps the hash in each node instead of computing it again.
struct NameHash {
  using is_transparent = void;
  HashKey key = HashKey::random();
  std::size_t operator()(std::string_view name) const {
    return static_cast<std::size_t>(keyed_hash(key, name));
  }
};

template <typename Value>
using NameMap = std::unordered_map<std::string, Value, NameHash, std::equal_to<>>;
using NameSet = std::unordered_set<std::string, NameHash, std::equal_to<>>;

}  // namespace weir
