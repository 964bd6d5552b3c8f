// What weir_publish announces a durable channel's entry with: "<id> <time> <payload>" (redis/weir.lua).
//
// Threads: any; a pure function.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "broker/bus/streams.h"

namespace weir {

// Returns nullopt unless `text` is an announcement to the letter. A payload larger than `bytes_max` makes the entry
// too large.
std::optional<StreamEntry> parse_announcement(std::string_view text, std::size_t bytes_max);

}  // namespace weir
