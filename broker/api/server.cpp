#include "broker/api/server.h"

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <future>
#include <string>
#include <thread>
#include <utility>

#include "broker/api/admin_routes.h"
#include "broker/api/routes.h"
#include "broker/base/metrics.h"
#include "broker/http/engine.h"
#include "broker/http/front.h"
#include "broker/http/pool.h"
#include "process/thread.h"

namespace weir {
namespace {

bool is_loopback(const std::string& listen) {
  const auto address = parse_listen_address(listen);
  return address && address->is_loopback();
}

RouteOptions route_options(const Config& config, std::uint64_t random, bool has_keys) {
  const bool is_local = is_loopback(config.listen);
  return {.access = {.anonymous_subscribe = config.anonymous_subscribe,
                     .anonymous_publish = config.anonymous_publish,
                     .cors_origins = config.cors_origin,
                     .is_loopback = is_local,
                     .has_keys = has_keys},
          .channels_per_client_max = config.max_channels_per_client,
          .has_console = config.console == "on" || (config.console == "auto" && is_local),
          .cookie_name = config.jwt_cookie,
          .random = random};
}

// Requires that all are ranges: the settings were checked.
std::vector<AddressRange> address_ranges(const std::vector<std::string>& texts) {
  std::vector<AddressRange> ranges;
  ranges.reserve(texts.size());
  for (const std::string& text : texts) ranges.push_back(*parse_address_range(text));
  return ranges;
}

// For Redis to be reached again, probes and scrapes, files: what must go on while everybody else comes in.
constexpr std::size_t kDescriptorsKept = 16;

FrontOptions front_options(const Config& config) {
  return {.head_bytes_max = config.head_bytes,
          .body_bytes_max = config.max_message_bytes,
          .request_bytes_max = config.request_memory,
          .head_timeout = config.head_seconds,
          .body_timeout = config.body_seconds,
          .keep_alive_timeout = config.keep_alive,
          .descriptors_kept = kDescriptorsKept,
          .trusted_proxies = address_ranges(config.trusted_proxy)};
}

// Probes and scrapes: small, few, and answered also while the public side is full.
FrontOptions admin_front_options(const Config& config) {
  FrontOptions options = front_options(config);
  options.body_bytes_max = 4'096;
  options.request_bytes_max = 1 << 20;
  options.descriptors_kept = 0;
  return options;
}

Result<std::uint16_t> listen(Front& front, const char* setting, const std::string& text) {
  const auto address = parse_listen_address(text);
  if (!address) return Error{std::string(setting) + ": " + address.error().message};
  auto port = front.listen(*address);
  if (!port) return Error{std::string(setting) + ": " + port.error().message};
  return port;
}

}  // namespace

struct HttpServer::State {
  State(const Config& settings, std::uint64_t random, Gateway& gateway, Metrics& metrics,
        const TokenVerifier* verifier)
      : config(settings),
        routes(route_options(config, random, verifier != nullptr), gateway, verifier),
        admin_routes(is_loopback(config.admin_listen), gateway, metrics),
        engine([this](Request& request) { return routes.handle(request); }),
        admin_engine([this](Request& request) { return admin_routes.handle(request); }),
        pool(config.http_threads, config.max_requests),
        admin_pool(1, 64),
        front(loop, front_options(config),
              {[this](const Head& head, const char* reason) { return overloaded(head, reason); },
               [this](const Head& head) { return routes.access().cors_headers(head); }},
              engine, pool, gateway, metrics),
        admin_front(loop, admin_front_options(config),
                    {[](const Head&, const char* reason) { return error_reply(503, reason); },
                     [](const Head&) { return std::vector<Header>(); }},
                    admin_engine, admin_pool, gateway, metrics) {}

  Reply overloaded(const Head& head, const char* reason) {
    Reply reply = routes.overloaded(head, reason);
    for (Header& header : routes.access().cors_headers(head)) reply.headers.push_back(std::move(header));
    return reply;
  }

  const Config config;
  Routes routes;
  AdminRoutes admin_routes;
  Engine engine;
  Engine admin_engine;
  asio::io_context loop{1};
  Pool pool;
  Pool admin_pool;
  Front front;
  Front admin_front;
  std::thread thread;
  std::uint16_t port = 0;
  std::uint16_t admin_port = 0;
};

HttpServer::HttpServer(const Config& config, std::uint64_t random, Gateway& gateway, Metrics& metrics,
                       const TokenVerifier* verifier)
    : state_(std::make_unique<State>(config, random, gateway, metrics, verifier)) {}

HttpServer::~HttpServer() { stop(std::chrono::milliseconds(0)); }

Result<bool> HttpServer::start() {
  const auto port = listen(state_->front, "listen", state_->config.listen);
  if (!port) return port.error();
  const auto admin_port = listen(state_->admin_front, "admin-listen", state_->config.admin_listen);
  if (!admin_port) return admin_port.error();
  state_->port = *port;
  state_->admin_port = *admin_port;
  state_->front.start();
  state_->admin_front.start();
  state_->thread = start_thread("weir-front", [state = state_.get()] { state->loop.run(); });
  return true;
}

std::uint16_t HttpServer::port() const { return state_->port; }
std::uint16_t HttpServer::admin_port() const { return state_->admin_port; }

void HttpServer::collect(MetricsPage& page) const {
  page.add(Metric::kRequestsInProgress, static_cast<double>(state_->pool.jobs() + state_->admin_pool.jobs()));
  page.add(Metric::kConnections,
           static_cast<double>(state_->front.connections() + state_->admin_front.connections()));
  page.add(Metric::kAcceptPauses,
           static_cast<double>(state_->front.accept_pauses() + state_->admin_front.accept_pauses()));
  page.add(Metric::kRequestBytes,
           static_cast<double>(state_->front.request_bytes() + state_->admin_front.request_bytes()));
}

void HttpServer::wind_down(std::chrono::milliseconds grace) {
  if (!state_->thread.joinable()) return;
  // Shared: who is not answered in time may be answered later.
  const auto is_quiet = std::make_shared<std::promise<void>>();
  asio::post(state_->loop, [state = state_.get(), is_quiet] {
    state->front.wind_down([is_quiet] { is_quiet->set_value(); });
  });
  is_quiet->get_future().wait_for(grace);
}

void HttpServer::stop(std::chrono::milliseconds grace) {
  if (state_->thread.joinable()) {
    wind_down(grace);
    state_->loop.stop();
    state_->thread.join();
  }
  state_->pool.stop();
  state_->admin_pool.stop();
  state_->front.close();
  state_->admin_front.close();
}

}  // namespace weir
