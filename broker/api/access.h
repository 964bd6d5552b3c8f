// Who may do what: anonymous rules, other origins (CORS), and what a browser could be tricked into.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/http/head.h"
#include "broker/http/reply.h"

namespace weir {

struct AccessRules {
  // Patterns. Both empty, and no keys either: anyone may do anything.
  std::vector<std::string> anonymous_subscribe = {};
  std::vector<std::string> anonymous_publish = {};
  std::vector<std::string> cors_origins = {};  // Exact origins, or "*".
  bool is_loopback = true;                     // Of the listener.
  bool has_keys = false;                       // Tokens let in who is not anybody (doorkeeper.h).
};

// Immutable; any thread.
class Access {
 public:
  explicit Access(AccessRules rules);

  // What anybody may.
  bool may_subscribe(std::string_view channel) const;
  bool may_publish(std::string_view channel) const;

  // The 403 for what a foreign page makes a browser send: a Host that is not loopback on a loopback listener
  // (DNS rebinding), a POST or PUT whose Origin is neither this host nor allowed (a form needs no preflight).
  std::optional<Reply> refuse_foreign(const Head& head) const;

  // True if `origin` (of the request `head`) is this host, or was named outright: "*" is not enough to act
  // with a user's cookie.
  bool is_own_origin(const Head& head, std::string_view origin) const;

  // The CORS headers of any response to `head`; none without an Origin that is allowed.
  std::vector<Header> cors_headers(const Head& head) const;
  // The answer to a preflight; nullopt if `head` is none.
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
