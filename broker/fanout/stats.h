// The counts of one shard.
//
// Threads: one writer (the shard), so an increment is a load and a store. Scrapes read and sum them.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "proto/sse.h"

namespace weir {

class Tally {
 public:
  void add(std::uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void subtract(std::uint64_t n = 1) { add(~n + 1); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// Why a stream was closed.
enum class CloseReason : std::uint8_t {
  kClientGone,
  kEnd,
  kDrain,
  kMaxStream,
  kSlowClient,
  kStuck,
  kRefused,
  kShutdown,
  kTokenExpired,
  kMemory,
};
inline constexpr std::array<const char*, 10> kCloseReasonNames = {
    "client-gone", "end",     "drain",    "max-stream",    "slow-client",
    "stuck",       "refused", "shutdown", "token-expired", "memory"};

// Upper bounds of the delivery histogram in microseconds; metrics.h has the same in seconds.
inline constexpr std::array<std::uint32_t, 14> kDeliveryBoundsMicros = {
    100,    250,    500,     1'000,   2'500,   5'000,     10'000,
    25'000, 50'000, 100'000, 250'000, 500'000, 1'000'000, 5'000'000};

struct ShardStats {
  Tally clients;  // Now.
  Tally opened;
  std::array<Tally, kCloseReasonNames.size()> closed;
  Tally messages_out;
  Tally bytes_out;
  std::array<Tally, kGapReasons> gaps;
  Tally heartbeats;
  Tally slow_clients;  // Now waiting for their socket.
  std::array<Tally, kDeliveryBoundsMicros.size() + 1> delivery_buckets;
  Tally delivery_micros;
};

}  // namespace weir
