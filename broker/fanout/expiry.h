// The end of a stream whose token expires, in the shard's ticks.
#pragma once

#include <chrono>
#include <cstdint>

#include "broker/fanout/timer_wheel.h"

namespace weir {

struct Expiry {
  Tick notice_at = kNoTick;  // Tell the client.
  Tick at = kNoTick;         // End the stream.
  std::uint32_t unix_seconds = 0;
};

// Converts `expires_at` at `now`, which is `tick`. A later step of the system's clock does not move the
// result. A past time is due at once; a time five or more years ahead never is.
Expiry expiry_of(std::chrono::system_clock::time_point expires_at, std::chrono::system_clock::time_point now,
                 Tick tick, std::chrono::milliseconds notice);

}  // namespace weir
