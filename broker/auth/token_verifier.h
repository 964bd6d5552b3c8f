// Turns the text of a token (a JWT in JWS compact form, RFC 7515 and 7519) into its holder's rights.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "broker/auth/claims.h"
#include "broker/auth/key_set.h"
#include "broker/auth/key_store.h"
#include "proto/result.h"

namespace weir {

inline constexpr std::size_t kTokenBytesMax = 8'192;

// Returns the rights that `token`, which may be anything, gives at the time `now`. It must be for `audience`
// unless that is empty. Pure, any thread. The error is for the holder: one line of plain ASCII without
// quotes. It repeats nothing of the token, and is the same whichever key or byte was wrong.
//
// The header of a token names an algorithm and maybe a key. These choose among `keys`, each of which has one
// algorithm. A token can't bring or point to a key of its own: jwk, jku, x5c and x5u are not read. Extensions
// (crit, b64) and encrypted tokens (five parts) are refused.
Result<Claims> verify_token(const KeySet& keys, const std::string& audience, std::string_view token,
                            std::chrono::system_clock::time_point now);

// Verifies tokens by the present keys of a store.
//
// Threads:   any; no lock is held while a signature is checked.
// Ownership: the store outlives it.
class TokenVerifier {
 public:
  TokenVerifier(const KeyStore& keys, std::string audience);

  // See verify_token().
  Result<Claims> verify(std::string_view token, std::chrono::system_clock::time_point now) const;

 private:
  const KeyStore& keys_;
  const std::string audience_;
};

}  // namespace weir
