// A token bucket that makes its caller wait, so that bytes leave at a rate.
#pragma once

#include <chrono>
#include <cstdint>

namespace weir {

// Saves up at most `kBurst` of unused time, so that a pause (Redis was away) is not followed by a flood. Time
// is handed in. Threads: one.
class Pacer {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kBurst{100};

  // 0 bytes per second: no limit.
  explicit Pacer(std::uint64_t bytes_per_second) : rate_(bytes_per_second) {}

  // The time at which `bytes` more may leave, asked at `now`. They count as sent then.
  Clock::time_point take(std::uint64_t bytes, Clock::time_point now) {
    if (rate_ == 0) return now;
    if (next_ < now - kBurst) next_ = now - kBurst;
    const auto at = next_ > now ? next_ : now;
    next_ += std::chrono::duration_cast<Clock::duration>(
        std::chrono::duration<double>(static_cast<double>(bytes) / static_cast<double>(rate_)));
    return at;
  }

 private:
  std::uint64_t rate_;
  Clock::time_point next_{};
};

}  // namespace weir
