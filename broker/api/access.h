// The rules that need no token: what anybody may do, what other origins may do (CORS), and what a browser
// must not be tricked into.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/http/head.h"
#include "broker/http/reply.h"

namespace weir {

struct AccessRules {
  // Patterns (proto/channel_name.h). If both are empty and there are no keys, anybody may do anything.
  std::vector<std::string> anonymous_subscribe = {};
  std::vector<std::string> anonymous_publish = {};
  std::vector<std::string> cors_origins = {};  // Exact origins, or "*".
  bool is_loopback = true;                     // The listener takes connections from this machine alone.
  bool has_keys = false;                       // Tokens let other callers in: see doorkeeper.h.
};

// Immutable; any thread.
class Access {
 public:
  explicit Access(AccessRules rules);

  // True if a caller without a token may do it.
  bool may_subscribe(std::string_view channel) const;
  bool may_publish(std::string_view channel) const;

  // Returns the 403 for a request that a foreign page may have made a browser send, or nullopt. It refuses a
  // Host that is not loopback on a loopback listener (DNS rebinding), and a POST or PUT whose Origin is
  // neither this host nor allowed (a form needs no preflight).
  std::optional<Reply> refuse_foreign(const Head& head) const;

  // True if `origin`, of the request `head`, is this host or is allowed by name. "*" is not enough to act
  // with a user's cookie.
  bool is_own_origin(const Head& head, std::string_view origin) const;

  // Returns the CORS headers for a response to `head`: at most Vary if the Origin is not allowed.
  std::vector<Header> cors_headers(const Head& head) const;
  // Returns the answer to a preflight (Fetch), or nullopt if `head` is not one.
  std::optional<Reply> preflight(const Head& head) const;

 private:
  bool allows_origin(std::string_view origin) const;

  const AccessRules rules_;
  const bool is_open_;
  bool allows_any_origin_ = false;
  bool has_exact_origins_ = false;
};

// True for localhost, *.localhost, 127.x.x.x and [::1], with any port.
bool is_loopback_host(std::string_view host);

}  // namespace weir
