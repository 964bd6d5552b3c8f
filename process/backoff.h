// How long to wait before the next attempt.
#pragma once

#include <algorithm>
#include <chrono>

namespace weir {

// Doubles from `first` to `max`; each wait is jittered between its half and its whole, so that publishers
// which lost the same Redis don't come back in the same instant.
class Backoff {
 public:
  Backoff(std::chrono::milliseconds first, std::chrono::milliseconds max)
      : first_(first), max_(max), next_(first) {}

  // `random` is in [0, 1).
  std::chrono::milliseconds next(double random) {
    const auto whole = next_;
    next_ = std::min(max_, next_ * 2);
    return std::chrono::milliseconds(
        static_cast<long>(static_cast<double>(whole.count()) * (1 + random) / 2));
  }
  void reset() { next_ = first_; }

 private:
  std::chrono::milliseconds first_;
  std::chrono::milliseconds max_;
  std::chrono::milliseconds next_;
};

}  // namespace weir
