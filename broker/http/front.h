// The front: one listening socket and its connections. It absorbs everything that is slow about a client, for
// a few hundred bytes and no thread.
//
// Threads:   the front loop's; listen() and start() before the loop runs, gauges on any thread.
// Ownership: the loop, the handler, the engine, the pool and the metrics outlive it; it
//            outlives the loop's run().
// Limits:    FrontOptions. A request that passes one is answered (408, 413, 429, 431, 503)
//            and its connection ends.
#pragma once

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/base/ip_address.h"
#include "broker/http/connection.h"
#include "broker/http/front_options.h"
#include "broker/http/handler.h"
#include "broker/http/httplib_engine.h"
#include "broker/http/mailbox.h"
#include "broker/http/pool.h"
#include "broker/http/request_budget.h"
#include "proto/result.h"

namespace weir {

class Metrics;

class Front final : private ConnectionOwner {
 public:
  Front(asio::io_context& loop, FrontOptions options, Handler& handler, HttplibEngine& engine, Pool& pool,
        Metrics& metrics);
  ~Front();
  Front(const Front&) = delete;
  Front& operator=(const Front&) = delete;

  // Binds and listens. An empty `host` is every address of this machine,
  // those of IPv4 alone (with a warning) where there is no IPv6; port 0 picks a free one. Returns the
  // bound port, or one line that says why not. Sets only SO_REUSEADDR: SO_REUSEPORT would let two gateways
  // share a port by mistake.
  Result<std::uint16_t> listen(const std::string& host, std::uint16_t port);
  // Starts to accept. Then the loop may run.
  void start();
  // On the front loop: accepts no more and closes idle connections. Calls `done` on the loop once every
  // request in progress was answered.
  void wind_down(std::function<void()> done);
  // On the front loop, or after it has ended: drops every connection, and every later reply.
  void close();

  // Gauges.
  std::size_t connections() const { return connection_count_.load(std::memory_order_relaxed); }
  std::size_t request_bytes() const { return budget_.total(); }
  std::size_t accept_pauses() const { return accept_pauses_.load(std::memory_order_relaxed); }

 private:
  using Clock = std::chrono::steady_clock;

  void accept();
  void accept_waiting();
  void take_connection(int socket, const IpAddress& peer);
  void pause_accepting();
  bool has_descriptors();
  void sweep();
  void check_wound_down();

  RequestBudget::Excess charge(Connection& connection, std::size_t before, std::size_t after) override;
  void dispatch(std::uint64_t connection, Request request) override;
  void forget(std::uint64_t connection) override;
  bool is_winding_down() const override { return on_wound_down_ != nullptr; }

  std::shared_ptr<Connection> slowest(RequestBudget::Excess excess, const IpAddress& network) const;
  void run_request(std::uint64_t connection, const std::shared_ptr<Request>& request);
  void start_later(std::uint64_t connection, const Answer& answer);
  void on_made(std::uint64_t connection, const Reply::Make& make);

  asio::io_context& loop_;
  const FrontOptions options_;
  Handler& handler_;
  HttplibEngine& engine_;
  Pool& pool_;

  asio::ip::tcp::acceptor acceptor_;
  int descriptors_max_ = 0;  // A descriptor with this number, or a higher one, causes a pause.
  asio::steady_timer accept_timer_;
  asio::steady_timer sweep_timer_;
  // Shared with the jobs of the pool and with later replies, which may outlive the front.
  const std::shared_ptr<Mailbox> mailbox_;
  ConnectionContext context_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Connection>> connections_;
  std::uint64_t next_id_ = 1;
  RequestBudget budget_;
  std::function<void()> on_wound_down_;
  std::atomic<std::size_t> connection_count_{0};
  std::atomic<std::size_t> accept_pauses_{0};
};

}  // namespace weir
