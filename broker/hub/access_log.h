// The access log: a line for each stream's start and one for its end. Where more come than the log is to hold
// those beyond it are counted, and a line each second says how many they were.
//
// Threads: on_start() and on_end() on the shards'; tell_left_out() on one; left_out() on any.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "broker/fanout/stream_observer.h"
#include "broker/hub/connect_rate.h"

namespace weir {

class AccessLog final : public StreamObserver {
 public:
  // `lines_per_second` 0: all of them.
  AccessLog(bool is_on, std::size_t lines_per_second);

  void on_start(const Client& client) override;
  void on_end(const Client& client, CloseReason reason) override;

  // Logs how many lines were left out since it was called last, if there were any.
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
