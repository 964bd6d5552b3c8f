// A place in a channel's log, after the entry with this sequence. A value.
#pragma once

#include <cstdint>

#include "proto/event_id.h"

namespace weir {

// `ordinal` and `bytes` count the channel's messages and their bytes up to here.
struct Cursor {
  Sequence sequence = 0;
  std::uint64_t ordinal = 0;
  std::uint64_t bytes = 0;
};

}  // namespace weir
