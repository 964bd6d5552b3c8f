// A token bucket that makes its caller wait, so that bytes leave at a rate.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace weir {

// Saves up what was not used, up to a burst, so that a pause (Redis was away) is not followed by a flood. Time
// is handed in. Threads: one.
class Pacer {
 public:
  using Clock = std::chrono::steady_clock;
  // The burst of a pacer that was given none.
  static constexpr std::chrono::milliseconds kBurst{100};

  // 0 bytes per second: no limit.
  explicit Pacer(std::uint64_t bytes_per_second) : rate_(bytes_per_second), burst_(kBurst) {}
  Pacer(std::uint64_t bytes_per_second, std::uint64_t burst_bytes)
      : rate_(bytes_per_second), burst_(std::min<Clock::duration>(time_for(burst_bytes), kFarthest / 2)) {}

  // The time at which `bytes` more may leave, asked at `now`. They count as sent then. Wait with
  // wait_until() (process/stop.h), which a stop ends.
  Clock::time_point take(std::uint64_t bytes, Clock::time_point now) {
    if (rate_ == 0) return now;
    next_ = std::max(next_, now - burst_);
    const auto at = std::max(next_, now);
    next_ = std::min(next_ + time_for(bytes), now + kFarthest);
    return at;
  }

 private:
  // No time is farther away: a time_point holds no more than some centuries.
  static constexpr std::chrono::hours kFarthest{24 * 365};

  Clock::duration time_for(std::uint64_t bytes) const {
    if (rate_ == 0) return {};
    const std::chrono::duration<double> time(static_cast<double>(bytes) / static_cast<double>(rate_));
    if (time >= kFarthest) return kFarthest;
    return std::chrono::duration_cast<Clock::duration>(time);
  }

  std::uint64_t rate_;
  Clock::duration burst_;
  Clock::time_point next_ = Clock::time_point::min();  // Nothing was sent yet: the whole burst is there.
};

}  // namespace weir
