#include "broker/api/admin_routes.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/api/routes.h"
#include "broker/base/logging.h"
#include "broker/base/metrics.h"
#include "proto/text.h"

namespace weir {
namespace {

constexpr std::size_t kShownBytesMax = 32;  // How much of a refused value is repeated.

JsonObject status_json(std::string_view status) {
  JsonObject json;
  json.add_text("status", status);
  return json;
}

std::string reason_of(const BusState& state) { return state.why_not.empty() ? "" : ": " + state.why_not; }

JsonObject slow_client_json(const SlowClient& client) {
  JsonObject json;
  json.add_text("channel", client.channel)
      .add_text("address", client.address.text())
      .add_number("lagMessages", client.lag_messages)
      .add_number("lagBytes", client.lag_bytes)
      .add_tenths("seconds", std::chrono::duration<double>(client.waits).count());
  return json;
}

Reply on_log_level(const Request& request) {
  if (request.head.method == "PUT") {
    if (!request.is_whole) return Reply();
    const std::string_view name = trim(request.body, " \t\r\n");
    const auto level = parse_log_level(name);
    if (!level) {
      return error_reply(400, "the body is to be one of debug, info, warning, error and off, not \"" +
                                  std::string(name.substr(0, kShownBytesMax)) + "\"");
    }
    log_warning("the log's level becomes " + std::string(name));
    set_log_level(*level);
  } else if (request.head.method != "GET" && request.head.method != "HEAD") {
    return method_not_allowed("GET, HEAD, PUT");
  }
  return json_reply(200, JsonObject().add_text("level", log_level_name(log_level())));
}

}  // namespace

AdminRoutes::AdminRoutes(const AdminOptions& options, Gateway& gateway, const Metrics& metrics)
    : access_({.anonymous_subscribe = {},
               .anonymous_publish = {},
               .cors_origins = {},
               .is_loopback = options.is_loopback}),
      token_(options.token_file, options.is_loopback),
      ready_at_(std::chrono::steady_clock::now() + options.ready_without_redis),
      gateway_(gateway),
      metrics_(metrics) {}

Reply AdminRoutes::handle(Request& request) {
  Reply reply = dispatch(request);
  reply.headers.push_back({"Cache-Control", "no-store"});
  return reply;
}

Reply AdminRoutes::overloaded(const Head&) { return error_reply(503, refused_name(Refused::kRequests)); }

std::vector<Header> AdminRoutes::cors_headers(const Head&) const { return {}; }

bool AdminRoutes::is_draining() const { return gateway_.is_draining(); }

Reply AdminRoutes::dispatch(const Request& request) {
  const Head& head = request.head;
  if (auto refusal = access_.refuse_foreign(head)) return std::move(*refusal);
  const bool is_known = head.path == "/healthz" || head.path == "/readyz" || head.path == "/healthz/redis" ||
                        head.path == "/metrics" || head.path == "/channels";
  // Probes and scrapers have no token.
  if (head.path == "/channels" || (head.path == "/log-level" && head.method == "PUT")) {
    if (auto refusal = token_.refuse(head)) return std::move(*refusal);
  }
  if (head.path == "/log-level") return on_log_level(request);
  if (!is_known) return error_reply(404, "there is nothing at this path");
  if (head.method != "GET" && head.method != "HEAD") return method_not_allowed("GET, HEAD");
  if (head.path == "/healthz") return json_reply(200, status_json("ok"));
  if (head.path == "/readyz") return ready();
  if (head.path == "/healthz/redis") return bus();
  if (head.path == "/channels") return channels();
  Reply reply;
  reply.content_type = "text/plain; version=0.0.4";
  reply.body = metrics_.render();
  return reply;
}

// Reports only what no reconnect to this pod can heal: without a ready pod behind a Service, every
// EventSource that reconnects gives up.
Reply AdminRoutes::ready() {
  if (gateway_.is_draining()) return error_reply(503, "this gateway is draining");
  const BusState state = gateway_.bus_state();
  if (!state.was_ever_connected) {
    if (std::chrono::steady_clock::now() < ready_at_) {
      return error_reply(503, "Redis was not reached yet" + reason_of(state));
    }
    if (!is_ready_told_.exchange(true)) {
      log_warning("ready without Redis, which was not reached yet" + reason_of(state) +
                  ": streams are told so, and publishing is refused");
    }
  }
  return json_reply(200, status_json("ready"));
}

Reply AdminRoutes::bus() const {
  const BusState state = gateway_.bus_state();
  int status = 200;
  JsonObject json = status_json("ok");
  if (!state.is_connected) {
    status = 503;
    json = error_json(status, "Redis is away" + reason_of(state));
  } else if (state.acknowledged < state.wanted) {
    status = 503;
    json = error_json(status, "Redis has acknowledged " + std::to_string(state.acknowledged) + " of " +
                                  std::to_string(state.wanted) + " subscriptions");
  }
  return json_reply(status, json.add_text("bus", bus_name(state.kind)));
}

Reply AdminRoutes::channels() const {
  std::vector<JsonObject> channels;
  for (const ChannelInfo& info : gateway_.channels(kAdminChannelsMax)) channels.push_back(channel_json(info));
  // Some may have opened or closed since.
  const std::size_t open = std::max(gateway_.open_channels(), channels.size());
  std::vector<JsonObject> slowest;
  for (const SlowClient& client : gateway_.slowest()) slowest.push_back(slow_client_json(client));
  return json_reply(200, JsonObject()
                             .add_list("channels", channels)
                             .add_number("leftOut", open - channels.size())
                             .add_list("slowest", slowest));
}

}  // namespace weir
