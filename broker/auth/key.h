// A key that checks the signatures of tokens. OpenSSL does the cryptography.
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

// Reads "HS256", "RS256", "ES256", "EdDSA" and its newer name "Ed25519" (RFC 9864). Returns nullopt for
// anything else; the case of letters counts.
std::optional<Algorithm> parse_algorithm(std::string_view name);

inline constexpr std::size_t kSecretBytesMin = 32;  // The size of a SHA-256 (RFC 7518, 3.2).
inline constexpr int kRsaBitsMin = 2'048;           // RFC 7518, 3.3.
// A signature may come from anybody, and checking it costs time.
inline constexpr int kRsaBitsMax = 8'192;

// The key decides its algorithm, never the token, so a public key, which everybody knows, can't pass for a
// secret. Numbers are big-endian bytes, as in a JWK (RFC 7518, 6).
//
// Threads: immutable; any thread.
// Errors:  one line that names the mistake and repeats nothing of the key.
class Key {
 public:
  // An HS256 key of at least kSecretBytesMin bytes, any of them. Refuses a PEM text: that is a public
  // key in the wrong place.
  static Result<Key> from_secret(std::string secret);
  static Result<Key> from_rsa(std::string_view modulus, std::string_view exponent);
  static Result<Key> from_p256(std::string_view x, std::string_view y);
  static Result<Key> from_ed25519(std::string_view x);
  // All public keys of a PEM text (RSA, EC P-256 or Ed25519), at least one. Refuses a private key,
  // which does not belong here.
  static Result<std::vector<Key>> from_pem(const std::string& text);

  Algorithm algorithm() const { return algorithm_; }
  // True if `signature` is this key's signature of `text`. Takes the same time for any wrong HS256 signature.
  bool verifies(std::string_view text, std::string_view signature) const;

 private:
  struct Free {
    void operator()(evp_pkey_st* key) const;
  };
  using Handle = std::unique_ptr<evp_pkey_st, Free>;

  Key(Algorithm algorithm, std::string secret, Handle handle);
  static Result<Key> from_handle(Handle handle);

  Algorithm algorithm_;
  std::string secret_;  // Set for HS256.
  Handle handle_;       // Set for all others.
};

}  // namespace weir
