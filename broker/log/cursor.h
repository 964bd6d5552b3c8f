// A place in a channel's log: behind the entry with this sequence.
#pragma once

#include <cstdint>

#include "proto/event_id.h"

namespace weir {

// Ordinal and bytes are cumulative: messages and bytes of the channel up to here.
struct Cursor {
  Sequence sequence = 0;
  std::uint64_t ordinal = 0;
  std::uint64_t bytes = 0;
};

}  // namespace weir
