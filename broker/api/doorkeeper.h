// Who sends a request, and may they? Tokens first, then what is open to anybody.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "broker/api/access.h"
#include "broker/api/query.h"
#include "broker/auth/token_verifier.h"
#include "broker/http/head.h"
#include "broker/http/reply.h"

namespace weir {

enum class Action { kSubscribe, kPublish };

// The holder of a token, or anybody.
struct Caller {
  std::optional<Claims> claims;
};

// Immutable; any thread. A signature is checked once a request, on the thread that asks. `access` and
// `verifier` outlive it.
class Doorkeeper {
 public:
  // Without a `verifier` (there are no keys) nobody looks at tokens: they are for somebody in front of us.
  Doorkeeper(const Access& access, const TokenVerifier* verifier, std::string cookie_name);

  // Who sends `head`. 401 for a bad token, also where none would be needed: its holder believes to be
  // somebody. 403 for a cookie that a foreign page made the browser send: a GET with an Origin that
  // --cors-origin does not name outright ("*" is never with cookies), a POST with such an Origin, or without
  // one and with a Sec-Fetch-Site that is foreign. A POST without either comes from no browser of the last
  // years.
  std::variant<Caller, Reply> identify(const Head& head, const QueryParameters& query) const;

  // nullopt if `caller` may, by the token or since anybody may. Else 401 without a token (403 where none
  // could help), 403 with one.
  std::optional<Reply> refuse(const Caller& caller, Action action, std::string_view channel) const;

 private:
  const Access& access_;
  const TokenVerifier* const verifier_;
  const std::string cookie_name_;
};

}  // namespace weir
