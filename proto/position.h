// The position of a stream among its channels, as its event ids tell it. A browser sends the last one back as
// Last-Event-ID. Pure functions, for any thread.
//
//   g<epoch>.<sequence>      live channels, which share one position (event_id.h)
//   <ms>-<n>                 one channel with a history (stream_id.h)
//   c<part>.<part>!<live>    several channels, one of them at least with a history: a part for each of these, in any
//                            order, and the position of the live ones among them, if there are any
//
// A part is three digits that stand for the channel's name, seven for the time in ms, of the entry or of a durable
// channel's birth, and as few as it takes for n: about 13 bytes a channel. All are digits of base64url. A birth's time
// is enough to find it, and says what is older. Two channels of one stream whose names have the same digits have no
// position.
//
// As event ids do, all of them may be followed by "~" and the publisher's own id, and "~end".
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/event_id.h"
#include "proto/stream_id.h"

namespace weir {

// The position of one channel with a history.
struct StreamPosition {
  StreamId id;
  // `id` is of a composite id: of a durable channel's birth it has the time alone, as the first of those of this time.
  // The history says which birth it is.
  bool is_short = false;
};

// The composite id of a stream. `parts` are the positions known of its channels with a history.
struct CompositePart {
  std::string_view channel;
  StreamPosition position;
  bool is_durable = false;
};
std::string format_composite_id(std::span<const CompositePart> parts, std::string_view live_id);

// An id of any of these forms.
struct Position {
  std::optional<EventId> live;
  std::optional<StreamId> stream;

  // The position of `channel`, which must be the only one of `channels` that has its digits.
  // `is_durable` says how to read a composite id.
  std::optional<StreamPosition> of(std::string_view channel, bool is_durable,
                                   std::span<const std::string> channels) const;

  struct Part {
    std::uint32_t name = 0;
    std::uint64_t ms = 0;
    std::uint64_t n = 0;
  };
  std::vector<Part> parts;
};
// Returns nullopt if `id` has none of the forms above.
std::optional<Position> parse_position(std::string_view id);

// The time of a durable channel's birth, in Unix ms: its first 13 digits (redis/weir.lua).
constexpr std::uint64_t time_of_birth(std::uint64_t birth) { return birth / 1'000'000; }
constexpr std::uint64_t first_birth_of(std::uint64_t time) { return time * 1'000'000; }
constexpr std::uint64_t last_birth_of(std::uint64_t time) { return first_birth_of(time) + 999'999; }

// The longest composite id that is read. One of eight channels stays within kEventIdBytesMax.
inline constexpr std::size_t kCompositeIdBytesMax = 4'096;

}  // namespace weir
