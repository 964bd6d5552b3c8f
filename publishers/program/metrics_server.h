// GET /metrics and GET /healthz for a publisher program.
//
// A page that a scraper reads every few seconds needs no HTTP library: cpp-httplib's server waits for its
// clients when it is stopped, and a stop of the program must not wait for one.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "proto/result.h"
#include "publishers/program/metrics.h"

namespace weir {

// Threads:   one of its own, which only reads the metrics.
// Ownership: the metrics outlive this object. The destructor ends the server at once.
// Limits:    one client at a time; a request of 8 KiB, and two seconds for all of it. Others wait in the
//            kernel's queue.
class MetricsServer {
 public:
  // `listen` is an address that parse_listen_address() takes. The error says why nothing can listen there.
  static Result<std::unique_ptr<MetricsServer>> start(const std::string& listen,
                                                      const ProgramMetrics& metrics);
  ~MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

  // Where it listens: the port is the one that was picked.
  const std::string& address() const { return address_; }

 private:
  MetricsServer(int listener, std::string address, const ProgramMetrics& metrics);
  void run();
  void serve(int client);
  // Waits for `events` on `fd`. False at a stop, and after `deadline`.
  bool await(int fd, short events, std::chrono::steady_clock::time_point deadline) const;
  std::string answer_to(std::string_view request) const;

  const int listener_;
  const int stop_fd_;  // An eventfd: readable from the stop on.
  const std::string address_;
  const ProgramMetrics& metrics_;
  std::thread thread_;
};

}  // namespace weir
