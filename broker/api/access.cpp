#include "broker/api/access.h"

#include <algorithm>
#include <utility>

#include "proto/channel_name.h"

namespace weir {
namespace {

bool matches_any(const std::vector<std::string>& patterns, std::string_view name) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [name](const std::string& pattern) { return matches_pattern(pattern, name); });
}

bool ends_with_ignoring_case(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && equals_ignoring_case(text.substr(text.size() - end.size()), end);
}

// Accepts four parts, the first of them 127. 127.example.com is a name.
bool is_loopback_ipv4(std::string_view host) {
  return host.substr(0, 4) == "127." && std::count(host.begin(), host.end(), '.') == 3 &&
         host.find_first_not_of("0123456789.") == std::string_view::npos;
}

Reply forbidden(std::string_view detail, Refused reason) {
  Reply reply = error_reply(403, detail);
  reply.refused = reason;
  return reply;
}

}  // namespace

bool is_loopback_host(std::string_view host) {
  const auto port = host.rfind(':');
  const bool has_port = port != std::string_view::npos && host.find(']', port) == std::string_view::npos;
  if (has_port) {
    if (host.find_first_not_of("0123456789", port + 1) != std::string_view::npos) return false;
    host = host.substr(0, port);
  }
  if (ends_with_ignoring_case(host, ".")) host.remove_suffix(1);
  return equals_ignoring_case(host, "localhost") || ends_with_ignoring_case(host, ".localhost") ||
         host == "[::1]" || is_loopback_ipv4(host);
}

Access::Access(AccessRules rules)
    : rules_(std::move(rules)),
      is_open_(rules_.anonymous_subscribe.empty() && rules_.anonymous_publish.empty() && !rules_.has_keys) {
  for (const std::string& origin : rules_.cors_origins)
    (origin == "*" ? allows_any_origin_ : has_exact_origins_) = true;
}

bool Access::may_subscribe(std::string_view channel) const {
  return is_open_ || matches_any(rules_.anonymous_subscribe, channel);
}

bool Access::may_publish(std::string_view channel) const {
  return is_open_ || matches_any(rules_.anonymous_publish, channel);
}

bool Access::allows_origin(std::string_view origin) const {
  return std::any_of(rules_.cors_origins.begin(), rules_.cors_origins.end(),
                     [origin](const std::string& allowed) {
                       return allowed != "*" && equals_ignoring_case(allowed, origin);
                     });
}

std::optional<Reply> Access::refuse_foreign(const Head& head) const {
  const std::string* host = head.find("host");
  if (rules_.is_loopback && host != nullptr && !is_loopback_host(*host)) {
    return forbidden("this gateway listens on loopback only, and the Host \"" + *host + "\" is not loopback",
                     Refused::kHost);
  }
  const std::string* origin = head.find("origin");
  const bool is_write = head.method == "POST" || head.method == "PUT";
  if (origin == nullptr || !is_write || allows_any_origin_ || is_own_origin(head, *origin))
    return std::nullopt;
  return forbidden("the origin " + *origin + " may not publish: see --cors-origin", Refused::kOrigin);
}

bool Access::is_own_origin(const Head& head, std::string_view origin) const {
  if (allows_origin(origin)) return true;
  // Behind a proxy that ends TLS the browser's scheme is unknown, so compare the host alone.
  const std::string* host = head.find("host");
  return host != nullptr && (equals_ignoring_case(origin, "http://" + *host) ||
                             equals_ignoring_case(origin, "https://" + *host));
}

std::vector<Header> Access::cors_headers(const Head& head) const {
  std::vector<Header> headers;
  // Send Vary even without the other headers: a cache must not give one origin's answer to another.
  if (has_exact_origins_) headers.push_back({"Vary", "Origin"});
  const std::string* origin = head.find("origin");
  if (origin == nullptr) return headers;
  if (allows_origin(*origin)) {
    headers.push_back({"Access-Control-Allow-Origin", *origin});
    headers.push_back({"Access-Control-Allow-Credentials", "true"});
  } else if (allows_any_origin_) {
    headers.push_back({"Access-Control-Allow-Origin", "*"});
  } else {
    return headers;
  }
  // A page that reads streams by fetch() comes back when it says. It is not safelisted (Fetch).
  headers.push_back({"Access-Control-Expose-Headers", "Retry-After"});
  return headers;
}

std::optional<Reply> Access::preflight(const Head& head) const {
  const std::string* origin = head.find("origin");
  if (head.method != "OPTIONS" || origin == nullptr ||
      head.find("access-control-request-method") == nullptr) {
    return std::nullopt;
  }
  if (!allows_any_origin_ && !allows_origin(*origin)) {
    return forbidden("the origin " + *origin + " is not allowed: see --cors-origin", Refused::kOrigin);
  }
  Reply reply;
  reply.status = 204;
  reply.headers.push_back({"Access-Control-Allow-Methods", "GET, POST, OPTIONS"});
  // Idempotency-Key is for publishing. Last-Event-ID is not safelisted everywhere (Fetch), and EventSource libraries based on fetch()
  // send a preflight for it.
  reply.headers.push_back({"Access-Control-Allow-Headers",
                           "authorization, last-event-id, content-type, cache-control, idempotency-key"});
  reply.headers.push_back({"Access-Control-Max-Age", "7200"});
  return reply;
}

}  // namespace weir
