#include "broker/hub/connect_rate.h"

#include <algorithm>

namespace weir {

bool ConnectRate::take(Clock::time_point now) {
  if (nanoseconds_each_ == 0) return true;
  const std::int64_t at = std::chrono::nanoseconds(now.time_since_epoch()).count();
  std::int64_t full_at = full_at_.load(std::memory_order_relaxed);
  std::int64_t then = 0;
  do {
    then = std::max(full_at, at) + nanoseconds_each_;
    if (then - at > kBucket) return false;
  } while (!full_at_.compare_exchange_weak(full_at, then, std::memory_order_relaxed));
  return true;
}

}  // namespace weir
