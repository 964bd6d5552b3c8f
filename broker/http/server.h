// HTTP as a whole: the front loop and its thread, and the public and the admin side, each with
// its front, engine and pool.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "broker/http/front_options.h"
#include "broker/http/handler.h"
#include "proto/result.h"

namespace weir {

class Metrics;
class MetricsPage;

// One side of the server.
struct SideOptions {
  std::string name;        // Begins the error if `host` and `port` can't be bound: the name of their setting.
  std::string host;        // Empty: every address of this machine.
  std::uint16_t port = 0;  // 0 picks a free one.
  FrontOptions front = {};
  std::size_t threads = 1;
  std::size_t requests_max = 64;  // Requests in the pool at once. Handler::overloaded() answers the others.
};

struct ServerOptions {
  SideOptions public_side;
  SideOptions admin_side;
};

// Threads:   all functions on one thread (main's), collect() on any.
// Ownership: handlers and metrics outlive it. A reply that comes after stop() is dropped.
class HttpServer {
 public:
  HttpServer(ServerOptions options, Handler& handler, Handler& admin_handler, Metrics& metrics);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Binds both addresses and starts the threads. The error is one line that begins with the name of the side.
  Result<bool> start();
  // The bound ports.
  std::uint16_t port() const;
  std::uint16_t admin_port() const;

  // Adds this part's gauges, as a source of Metrics. Any thread.
  void collect(MetricsPage& page) const;

  // Accepts no more on the public side, and waits up to `grace` until requests in progress are answered.
  // Streams continue: they have left with their sockets. A later reply that misses `grace` is still sent if
  // it comes before stop() ends.
  void wind_down(std::chrono::milliseconds grace);
  // The same, then ends the threads.
  void stop(std::chrono::milliseconds grace);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace weir
