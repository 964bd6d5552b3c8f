// The wait before the next attempt to connect.
#pragma once

#include <algorithm>
#include <chrono>

namespace weir {

// The limit doubles from `first` to `max`; each wait is a random part of it, so that clients of a lost Redis
// do not all reconnect at once. Time and chance are handed in. Threads: one.
class Backoff {
 public:
  enum class Jitter {
    kFull,  // From nothing to the limit: spreads the many that wait for one server.
    kHalf,  // From half the limit to all of it: never at once.
  };

  // Requires 0 < first <= max.
  Backoff(std::chrono::milliseconds first, std::chrono::milliseconds max, Jitter jitter)
      : first_(first), max_(max), limit_(first), jitter_(jitter) {}

  // The next wait. `random` is in [0, 1).
  std::chrono::microseconds next(double random) {
    const auto limit = static_cast<double>(std::chrono::microseconds(limit_).count());
    limit_ = std::min(max_, limit_ * 2);
    const double part = jitter_ == Jitter::kFull ? random : (1 + random) / 2;
    return std::chrono::microseconds(static_cast<std::chrono::microseconds::rep>(limit * part));
  }
  // Call it after a success: the next wait is a first one.
  void reset() { limit_ = first_; }

 private:
  std::chrono::milliseconds first_;
  std::chrono::milliseconds max_;
  std::chrono::milliseconds limit_;
  Jitter jitter_;
};

}  // namespace weir
