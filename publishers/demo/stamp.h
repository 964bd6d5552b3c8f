// The time of publishing in a message, so that a page can show how long the message took.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

// A place for a member in an object.
struct StampPlace {
  std::size_t position = 0;
  bool is_first = false;  // The object is empty.
};

// The end of the object in `payload`. In an envelope (proto/envelope.h) that is its data, since a further key
// would make plain JSON of it. nullopt if there is no object, or if it has a time already.
std::optional<StampPlace> stamp_place(std::string_view payload);

// Returns `payload` with "time":<time_ms> at `place`.
std::string stamped(std::string_view payload, const StampPlace& place, std::uint64_t time_ms);

// Milliseconds since 1970, as Date.now() gives them.
std::uint64_t now_ms();

}  // namespace weir
