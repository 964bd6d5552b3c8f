// The URLs of the public side: streams, publishing, facts about a channel, the library for browsers, the console.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "broker/api/access.h"
#include "broker/api/client_library.h"
#include "broker/api/console.h"
#include "broker/api/doorkeeper.h"
#include "broker/api/query.h"
#include "broker/http/handler.h"
#include "broker/http/reply.h"
#include "broker/http/request.h"
#include "broker/hub/gateway.h"

namespace weir {

class Metrics;

struct RouteOptions {
  AccessRules access;
  std::size_t channels_per_client_max;
  bool has_console;
  bool has_clients = true;  // The library for browsers.
  std::string base_path;    // What stands before all paths ("/push"); empty: nothing.
  std::string cookie_name;
  std::chrono::milliseconds retry;
  std::chrono::milliseconds drain_retry;  // 0: as retry.
  std::uint64_t random = 0;               // Seeds the jitter of retry times.
};

// Answers the requests of the public side.
//
// Threads:   as Handler says.
// Ownership: gateway, metrics and verifier outlive it.
class Routes final : public Handler {
 public:
  // Without a `verifier` tokens are not read.
  Routes(RouteOptions options, Gateway& gateway, Metrics& metrics, const TokenVerifier* verifier = nullptr);

  // A stream that it returns already has its place among the clients.
  Reply handle(Request& request) override;
  Reply overloaded(const Head& head) override;
  std::vector<Header> cors_headers(const Head& head) const override;
  bool is_draining() const override;

 private:
  class Opening;

  // The query of a request and its sender.
  struct Visit {
    QueryParameters query;
    Caller caller;
  };

  // Reads the query and the token of a request: 400, 401 or 403 if either is bad.
  std::variant<Visit, Reply> identify(const Head& head) const;
  // The same, and 401 or 403 if the caller may not do `action` on `channel`.
  std::variant<Visit, Reply> authorize(const Head& head, Action action, std::string_view channel) const;

  Reply dispatch(Request& request);
  // Answers a request of the library for browsers; nullopt for any other.
  std::optional<Reply> client_library(const Head& head) const;
  // The "Full" answer, if there is no room for a request. An EventSource gives up for good at any status
  // but 200, so one that `accepts_stream` gets an event and a retry time. Others get 503, or 429 if
  // other clients still have room.
  Reply full(bool accepts_stream, Refused reason);
  Reply on_channel(Request& request, std::string_view encoded_name, std::string_view action);
  Reply open_channel(const Request& request, std::string channel);
  Reply open_events(const Request& request);
  Reply open(const Request& from, const Visit& visit, std::vector<std::string> channels, Form form);
  Reply publish(Request& request, std::string channel, bool is_end);
  Reply info(const Head& head, const std::string& channel) const;
  Reply messages(const Request& request, std::string channel);
  Reply console(const Head& head) const;
  std::chrono::milliseconds retry_after(Refused reason);

  const RouteOptions options_;
  const Access access_;
  const Doorkeeper doorkeeper_;
  const ConsolePage console_;
  const ClientLibrary clients_;
  Gateway& gateway_;
  Metrics& metrics_;
  std::atomic<std::uint64_t> random_;
};

// The payload that ends a channel: {"type":"weir:end"}. A `body` that is not blank becomes its data:
// unchanged if it is JSON, otherwise as text. Pure, any thread.
std::string end_payload(std::string_view body);
// One channel, for /channels/{channel}/info and the admin side's /channels. Pure, any thread.
JsonObject channel_json(const ChannelInfo& info);
// 405 with Allow.
Reply method_not_allowed(std::string_view allowed);

}  // namespace weir
