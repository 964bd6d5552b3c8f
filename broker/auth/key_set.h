// The keys that are valid at one time. Tokens may name a key by its id.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/auth/key.h"
#include "proto/result.h"

namespace weir {

// Threads: one thread fills it; after that it is immutable, any thread.
// Limits:  kKeysMax keys, since a token without a kid may cost a signature check for each of them.
class KeySet {
 public:
  static constexpr std::size_t kKeysMax = 64;

  // Adds `key`. Without an `id` it is tried for any token of its algorithm. Returns false if the set is full.
  bool add(Key key, std::optional<std::string> id = std::nullopt);
  // Adds the keys of a JWK set (RFC 7517). Skips keys of other kinds, curves and algorithms and keys for
  // encryption, as section 5 of the RFC wants. It is an error if a key of our kinds is broken, weak or
  // private, or if none is left.
  std::optional<Error> add_jwks(std::string_view text);

  std::size_t size() const { return entries_.size(); }
  bool has(Algorithm algorithm) const;

  // True if one of the keys of that algorithm signed `text`. With a `key_id`, tries only the keys with that
  // id or without one.
  bool verifies(Algorithm algorithm, const std::optional<std::string>& key_id, std::string_view text,
                std::string_view signature) const;

 private:
  struct Entry {
    Key key;
    std::optional<std::string> id;
  };
  std::vector<Entry> entries_;
};

}  // namespace weir
