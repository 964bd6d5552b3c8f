#include "broker/http/server.h"

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <future>
#include <thread>
#include <utility>

#include "broker/base/metrics.h"
#include "broker/http/front.h"
#include "broker/http/httplib_engine.h"
#include "broker/http/pool.h"
#include "process/thread.h"

namespace weir {
namespace {

struct Side {
  Side(asio::io_context& loop, SideOptions side_options, Handler& handler, Metrics& metrics)
      : options(std::move(side_options)),
        engine(handler),
        pool(options.threads, options.requests_max),
        front(loop, options.front, handler, engine, pool, metrics) {}

  Result<bool> listen() {
    const auto bound = front.listen(options.host, options.port);
    if (!bound) return Error{options.name + ": " + bound.error().message};
    port = *bound;
    return true;
  }

  const SideOptions options;
  HttplibEngine engine;
  Pool pool;
  Front front;
  std::uint16_t port = 0;
};

}  // namespace

struct HttpServer::State {
  State(ServerOptions options, Handler& handler, Handler& admin_handler, Metrics& metrics)
      : public_side(loop, std::move(options.public_side), handler, metrics),
        admin_side(loop, std::move(options.admin_side), admin_handler, metrics) {}

  asio::io_context loop{1};
  Side public_side;
  Side admin_side;
  std::thread thread;
};

HttpServer::HttpServer(ServerOptions options, Handler& handler, Handler& admin_handler, Metrics& metrics)
    : state_(std::make_unique<State>(std::move(options), handler, admin_handler, metrics)) {}

HttpServer::~HttpServer() { stop(std::chrono::milliseconds(0)); }

Result<bool> HttpServer::start() {
  for (Side* side : {&state_->public_side, &state_->admin_side}) {
    if (auto bound = side->listen(); !bound) return bound;
  }
  state_->public_side.front.start();
  state_->admin_side.front.start();
  state_->thread = start_thread("weir-front", [state = state_.get()] { state->loop.run(); });
  return true;
}

std::uint16_t HttpServer::port() const { return state_->public_side.port; }
std::uint16_t HttpServer::admin_port() const { return state_->admin_side.port; }

void HttpServer::collect(MetricsPage& page) const {
  const Side& open = state_->public_side;
  const Side& admin = state_->admin_side;
  page.add(Metric::kRequestsInProgress, open.pool.jobs() + admin.pool.jobs());
  page.add(Metric::kConnections, open.front.connections() + admin.front.connections());
  page.add(Metric::kAcceptPauses, open.front.accept_pauses() + admin.front.accept_pauses());
  const auto request_bytes = open.front.request_bytes() + admin.front.request_bytes();
  page.add(Metric::kRequestBytes, request_bytes);
  page.add(Metric::kMemory, request_bytes, "requests");
}

void HttpServer::wind_down(std::chrono::milliseconds grace) {
  if (!state_->thread.joinable()) return;
  // Shared: an answer that misses its deadline may still come later.
  const auto is_quiet = std::make_shared<std::promise<void>>();
  asio::post(state_->loop, [state = state_.get(), is_quiet] {
    state->public_side.front.wind_down([is_quiet] { is_quiet->set_value(); });
  });
  is_quiet->get_future().wait_for(grace);
}

void HttpServer::stop(std::chrono::milliseconds grace) {
  if (state_->thread.joinable()) {
    wind_down(grace);
    state_->loop.stop();
    state_->thread.join();
  }
  state_->public_side.pool.stop();
  state_->admin_side.pool.stop();
  state_->public_side.front.close();
  state_->admin_side.front.close();
}

}  // namespace weir
