// The access log: one line for each stream's start and one for its end.
//
// Threads: on_start() and on_end() on the shards'; tell_left_out() on one; left_out() on any.
// Limits:  lines_per_second. Lines past it are counted, and one line each second reports their number.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "broker/fanout/stream_observer.h"
#include "broker/hub/connect_rate.h"

namespace weir {

class AccessLog final : public StreamObserver {
 public:
  // 0 `lines_per_second` is no limit.
  AccessLog(bool is_on, std::size_t lines_per_second);

  void on_start(const Client& client) override;
  void on_end(const Client& client, CloseReason reason) override;

  // Logs how many lines were left out since the last call, if any.
  void tell_left_out();
  std::uint64_t left_out() const { return left_out_.load(std::memory_order_relaxed); }

 private:
  bool takes_line();

  const bool is_on_;
  ConnectRate rate_;
  std::atomic<std::uint64_t> left_out_{0};
  std::uint64_t told_ = 0;
};

}  // namespace weir
