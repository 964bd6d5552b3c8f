// Clients that come and go while others are measured.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

#include "bench/load/address.h"

namespace weir::bench {

// Threads: one of its own.
class Churn {
 public:
  // Opens `per_second` connections a second, at even times; each is closed `lifetime` later.
  Churn(Address address, std::string path, double per_second, std::chrono::milliseconds lifetime);
  ~Churn();

  void stop();
  std::uint64_t opened() const { return opened_; }
  // Connections that were refused, or had no response of status 200 when their time was over.
  std::uint64_t failed() const { return failed_; }

 private:
  struct Visit;

  void run();
  Visit open();
  void read(Visit& visit);

  const Address address_;
  const std::string request_;
  const double per_second_;
  const std::chrono::milliseconds lifetime_;
  std::atomic<std::uint64_t> opened_{0};
  std::atomic<std::uint64_t> failed_{0};
  std::atomic<bool> is_stopped_{false};
  std::thread thread_;
};

}  // namespace weir::bench
