// A key that the signatures of tokens are checked with. OpenSSL does the cryptography.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/result.h"

struct evp_pkey_st;  // OpenSSL's EVP_PKEY.

namespace weir {

enum class Algorithm { kHs256, kRs256, kEs256, kEdDsa };

// "HS256", "RS256", "ES256", "EdDSA" and its newer name "Ed25519" (RFC 9864); nullopt for anything else,
// other cases of letters among it.
std::optional<Algorithm> parse_algorithm(std::string_view name);

inline constexpr std::size_t kSecretBytesMin = 32;  // As many as a SHA-256 has (RFC 7518, 3.2).
inline constexpr int kRsaBitsMin = 2'048;           // RFC 7518, 3.3.
inline constexpr int kRsaBitsMax = 8'192;           // Anybody may have a signature checked: it costs time.

// Immutable; any thread. The algorithm follows from what the key is, never from a token: a public key that is
// known to all can't be taken for a secret. Numbers are big-endian bytes, as JWKs have them.
class Key {
 public:
  // An HS256 key. Any bytes, but not a PEM text: that would be a public key in the wrong place.
  static Result<Key> from_secret(std::string secret);
  static Result<Key> from_rsa(std::string_view modulus, std::string_view exponent);
  static Result<Key> from_p256(std::string_view x, std::string_view y);
  static Result<Key> from_ed25519(std::string_view x);
  // All public keys of a PEM text (RSA, EC P-256 or Ed25519), at least one. A private key is refused: it has
  // no business here.
  static Result<std::vector<Key>> from_pem(const std::string& text);

  Algorithm algorithm() const { return algorithm_; }
  // True if `signature` is this key's for `text`. Takes the same time for any wrong HS256 signature.
  bool verifies(std::string_view text, std::string_view signature) const;

 private:
  struct Free {
    void operator()(evp_pkey_st* key) const;
  };
  using Handle = std::unique_ptr<evp_pkey_st, Free>;

  Key(Algorithm algorithm, std::string secret, Handle handle);
  static Result<Key> from_handle(Handle handle);

  Algorithm algorithm_;
  std::string secret_;  // Of HS256 alone.
  Handle handle_;       // Of all others.
};

}  // namespace weir
