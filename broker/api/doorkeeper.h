// Decides who sends a request and whether they may, by the rules for anybody and by their token.
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

// The sender of a request: the holder of a token, or anybody.
struct Caller {
  std::optional<Claims> claims;
};

// Threads:   immutable; any thread. identify() checks a signature on the thread that calls it.
// Ownership: `access` and `verifier` outlive it.
class Doorkeeper {
 public:
  // Without a `verifier` there are no keys, and tokens are not read: they may be for a proxy in front of us.
  Doorkeeper(const Access& access, const TokenVerifier* verifier, std::string cookie_name);

  // Returns the sender of `head`, or a refusal:
  // - 401 for an invalid token, even where anonymous access is allowed: the caller expects to be
  //   authenticated.
  // - 403 for a cookie that a foreign page made the browser send. That is a request with an Origin that is
  //   neither this host nor named by --cors-origin ("*" never counts with cookies), or a POST without an
  //   Origin and with a foreign Sec-Fetch-Site. No current browser sends a POST with neither header.
  std::variant<Caller, Reply> identify(const Head& head, const QueryParameters& query) const;

  // Returns nullopt if `caller` may do `action` on `channel`, by the token or because anybody may. Otherwise
  // 403 with a token, 401 without one, and 403 without one if there are no keys, so that no token could help. The
  // reply names the channel.
  std::optional<Reply> refuse(const Caller& caller, Action action, std::string_view channel) const;

 private:
  const Access& access_;
  const TokenVerifier* const verifier_;
  const std::string cookie_name_;
};

}  // namespace weir
