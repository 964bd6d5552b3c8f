// When a stream that was allowed in for a time has to end, in the shard's ticks.
#pragma once

#include <chrono>
#include <cstdint>

#include "broker/fanout/timer_wheel.h"

namespace weir {

struct Expiry {
  Tick notice_at = kNoTick;  // The client is told.
  Tick at = kNoTick;         // The stream ends.
  std::uint32_t unix_seconds = 0;
};

// `expires_at` seen from `now`, which is `tick`: a later step of the system's clock does not move it. What is
// over already is due at once; what is five years ahead, or more, is never.
Expiry expiry_of(std::chrono::system_clock::time_point expires_at, std::chrono::system_clock::time_point now,
                 Tick tick, std::chrono::milliseconds notice);

}  // namespace weir
