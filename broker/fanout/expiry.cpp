#include "broker/fanout/expiry.h"

#include <algorithm>
#include <ctime>

namespace weir {

namespace {

using std::chrono::system_clock;

// Far below the range of ticks, and safe to add to a clock.
constexpr std::chrono::hours kFarthest{5 * 365 * 24};

// The first tick no earlier than `left` from now.
Tick tick_after(Tick tick, system_clock::duration left) {
  return tick + 1 + static_cast<Tick>(left / kTickLength);
}

}  // namespace

Expiry expiry_of(system_clock::time_point expires_at, system_clock::time_point now, Tick tick,
                 std::chrono::milliseconds notice) {
  // Compare before subtracting: the time may be as far away as the clock can say.
  if (expires_at >= now + kFarthest) return {};
  const auto left = std::max(expires_at, now) - now;
  Expiry expiry;
  expiry.notice_at = left > notice ? tick_after(tick, left - notice) : tick;
  expiry.at = left > left.zero() ? tick_after(tick, left) : tick;
  expiry.unix_seconds =
      static_cast<std::uint32_t>(std::max<std::time_t>(0, system_clock::to_time_t(expires_at)));
  return expiry;
}

}  // namespace weir
