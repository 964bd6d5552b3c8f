// The treatment of a client that cannot keep up: a setting, and a rule for each channel.
#pragma once

#include <cstdint>

namespace weir {

// The treatment of a client whose lag passes its queue's limits.
enum class SlowClientPolicy : std::uint8_t {
  kSkip,         // Jump to the newest messages that fit, after a weir:gap with the number missed.
  kDisconnect,   // Close the stream; it reconnects with its Last-Event-ID.
  kLatest,       // Past the limit keep the newest message of each type: conflation, no gap.
  kReadHistory,  // No setting: a channel with a history whose rule names none of these. Only what Redis has
                 // trimmed is a gap.
};

}  // namespace weir
