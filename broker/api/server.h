// HTTP as a whole: the front loop and its thread, the public and the admin side, each with its engine and
// pool.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "broker/config.h"
#include "broker/hub/gateway.h"
#include "proto/result.h"

namespace weir {

class Metrics;
class MetricsPage;
class TokenVerifier;

// Threads:   all functions on one thread (main's); the gateway is called from the front loop and the pools.
// Ownership: gateway and metrics outlive it. A publish that the bus answers after stop() is dropped.
class HttpServer {
 public:
  // Without a `verifier` there are no tokens. It outlives this object, as the gateway and the metrics do.
  HttpServer(const Config& config, std::uint64_t random, Gateway& gateway, Metrics& metrics,
             const TokenVerifier* verifier = nullptr);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Binds both addresses and starts the threads. The error is one line that names the setting.
  Result<bool> start();
  // The ports that were bound, where the settings said 0.
  std::uint16_t port() const;
  std::uint16_t admin_port() const;

  // The gauges of this part, for Metrics::add_source(). Any thread.
  void collect(MetricsPage& page) const;

  // Accepts no more; waits up to `grace` for requests in progress to be answered. Streams are not concerned:
  // they are the hub's. A publish that is not confirmed by then still gets its answer, 504, where the bus is
  // stopped before stop().
  void wind_down(std::chrono::milliseconds grace);
  // The same, and ends the threads.
  void stop(std::chrono::milliseconds grace);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace weir
