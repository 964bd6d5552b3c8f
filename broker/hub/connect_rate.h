// Limits the number of streams opened per second.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace weir {

// A token bucket of one second: after a pause it allows at most one second's worth at once. It is kept as one
// number, the time at which the bucket will be full. Threads: any, without a lock.
class ConnectRate {
 public:
  using Clock = std::chrono::steady_clock;

  // Requires 0 (no limit) to 1,000,000.
  explicit ConnectRate(std::size_t per_second)
      : nanoseconds_each_(per_second == 0 ? 0 : kBucket / static_cast<std::int64_t>(per_second)) {}

  // Takes one at `now`. Returns false and takes nothing if the bucket is empty.
  bool take(Clock::time_point now);

 private:
  static constexpr std::int64_t kBucket = 1'000'000'000;  // A second.

  const std::int64_t nanoseconds_each_;
  std::atomic<std::int64_t> full_at_{0};
};

}  // namespace weir
