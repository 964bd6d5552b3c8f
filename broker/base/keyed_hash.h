// A hash of what comes from outside: channel names, addresses. Its key is never shown, so nobody can choose
// names that share a bucket and make each look at one of them a walk past all others.
//
// Every unordered container with a key from outside is one of those below; scripts/lint looks for others.
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

  // From the kernel, another one each time. It is used for one container and for nothing else: a number that
  // also makes something visible (an epoch, a jittered time) could be found out by it.
  static HashKey random();
};

// SipHash-1-3, as Rust's and Python's maps use it. Pure.
std::uint64_t keyed_hash(const HashKey& key, std::string_view bytes);

// Not noexcept: libstdc++ then keeps the hash in each node and computes it once for a name.
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
