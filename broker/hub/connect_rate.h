// How many streams may be opened a second.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace weir {

// A token bucket: a second of rest allows as many at once as one second does, and no more. Held as the time
// at which the bucket would be full again, which is one number. Threads: any, without a lock.
class ConnectRate {
 public:
  using Clock = std::chrono::steady_clock;

  // Requires 0 (no limit) to 1,000,000.
  explicit ConnectRate(std::size_t per_second)
      : nanoseconds_each_(per_second == 0 ? 0 : kBucket / static_cast<std::int64_t>(per_second)) {}

  // False, and nothing is taken, if it is one too many at `now`.
  bool take(Clock::time_point now);

 private:
  static constexpr std::int64_t kBucket = 1'000'000'000;  // A second.

  const std::int64_t nanoseconds_each_;
  std::atomic<std::int64_t> full_at_{0};
};

}  // namespace weir
