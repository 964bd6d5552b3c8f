// The keys that are good at one time, each with the id by which tokens may name it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/auth/key.h"
#include "proto/result.h"

namespace weir {

// Filled once, then immutable; any thread. At most kKeysMax keys: a token without a kid may cost a signature
// check for each of them.
class KeySet {
 public:
  static constexpr std::size_t kKeysMax = 64;

  // Without an `id` the key is tried for any token of its algorithm. False if the set is full.
  bool add(Key key, std::optional<std::string> id = std::nullopt);
  // The keys of a JWK set (RFC 7517). Those of other kinds, curves and algorithms, and those that are for
  // encryption, are left out, as the RFC wants; but a key that claims to be of ours and is broken or weak, a
  // private key, and a set without any key of ours are errors.
  std::optional<Error> add_jwks(std::string_view text);

  std::size_t size() const { return entries_.size(); }
  bool has(Algorithm algorithm) const;

  // True if one of the keys of that algorithm has signed `text`. With a `key_id` only the keys of that id,
  // and those without any, are tried.
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
