// What a gateway does with a client that cannot keep up: a setting, and a rule of each channel.
#pragma once

#include <cstdint>

namespace weir {

// What happens to a client whose lag passes its queue's limits.
enum class SlowClientPolicy : std::uint8_t {
  kSkip,        // Jump to the newest messages that fit, after a weir:gap with the number missed.
  kDisconnect,  // Close the stream; it comes back with its Last-Event-ID.
  kLatest,      // Past the limit the newest message of each type: conflation, no gap.
};

}  // namespace weir
