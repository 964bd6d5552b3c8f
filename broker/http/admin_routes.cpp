#include "broker/http/admin_routes.h"

#include <string>
#include <utility>

#include "broker/http/routes.h"
#include "broker/metrics.h"

namespace weir {
namespace {

Reply healthy(std::string_view status) {
  return json_reply(200, "{\"status\":\"" + std::string(status) + "\"}");
}

std::string reason_of(const BusState& state) { return state.why_not.empty() ? "" : ": " + state.why_not; }

}  // namespace

AdminRoutes::AdminRoutes(bool is_loopback, Gateway& gateway, const Metrics& metrics)
    : access_({.anonymous_subscribe = {},
               .anonymous_publish = {},
               .cors_origins = {},
               .is_loopback = is_loopback}),
      gateway_(gateway),
      metrics_(metrics) {}

Reply AdminRoutes::handle(Request& request) const {
  Reply reply = dispatch(request.head);
  reply.headers.push_back({"Cache-Control", "no-store"});
  return reply;
}

Reply AdminRoutes::dispatch(const Head& head) const {
  if (auto refusal = access_.refuse_foreign(head)) return std::move(*refusal);
  const bool is_known = head.path == "/healthz" || head.path == "/readyz" || head.path == "/healthz/redis" ||
                        head.path == "/metrics" || head.path == "/channels";
  if (!is_known) return error_reply(404, "there is nothing at this path");
  if (head.method != "GET" && head.method != "HEAD") return method_not_allowed("GET, HEAD");
  if (head.path == "/healthz") return healthy("ok");
  if (head.path == "/readyz") return ready();
  if (head.path == "/healthz/redis") return redis();
  if (head.path == "/channels") return channels();
  Reply reply;
  reply.content_type = "text/plain; version=0.0.4";
  reply.body = metrics_.render();
  return reply;
}

// Only what no reconnect can heal on this pod: a Service with no ready pod ends every EventSource that
// reconnects.
Reply AdminRoutes::ready() const {
  if (gateway_.is_draining()) return error_reply(503, "this gateway is draining");
  const BusState state = gateway_.bus_state();
  if (!state.was_ever_connected) return error_reply(503, "Redis was not reached yet" + reason_of(state));
  return healthy("ready");
}

Reply AdminRoutes::redis() const {
  const BusState state = gateway_.bus_state();
  if (!state.is_connected) return error_reply(503, "Redis is away" + reason_of(state));
  if (state.acknowledged < state.wanted) {
    return error_reply(503, "Redis has acknowledged " + std::to_string(state.acknowledged) + " of " +
                                std::to_string(state.wanted) + " subscriptions");
  }
  return healthy("ok");
}

Reply AdminRoutes::channels() const {
  std::string body = "{\"channels\":[";
  bool is_first = true;
  for (const ChannelInfo& info : gateway_.channels(kAdminChannelsMax)) {
    if (!is_first) body += ',';
    is_first = false;
    body += channel_json(info);
  }
  return json_reply(200, body + "]}");
}

}  // namespace weir
