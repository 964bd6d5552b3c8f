// From the text of a token (a JWT in JWS compact form, RFC 7515 and 7519) to what it allows.
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

// What `token`, which may be anything, allows at the time `now`; it must be for `audience`, unless that is
// empty. Pure, any thread. The error is for the holder: one line of plain ASCII without quotes that repeats
// nothing of the token, and the same whichever key or byte was wrong.
//
// The header may say which algorithm and which key; it chooses among `keys`, each of which knows one
// algorithm alone. What it may not do: carry or point to a key (jwk, jku, x5c, x5u are not looked at), ask
// for extensions (crit, b64), be an encrypted token (five parts).
Result<Claims> verify_token(const KeySet& keys, const std::string& audience, std::string_view token,
                            std::chrono::system_clock::time_point now);

// Does the same with the keys that a store has at that moment. Any thread; no lock is held while a signature
// is checked. The store outlives it.
class TokenVerifier {
 public:
  TokenVerifier(const KeyStore& keys, std::string audience);

  Result<Claims> verify(std::string_view token, std::chrono::system_clock::time_point now) const;

 private:
  const KeyStore& keys_;
  const std::string audience_;
};

}  // namespace weir
