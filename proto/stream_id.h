// The id of an entry in a Redis Stream: "<ms>-<n>" (https://redis.io/docs/latest/develop/data-types/streams/).
// Pure functions, for any thread.
//
// In a durable channel's stream `ms` is the birth, which names the Redis process that gave the id, and `n` counts
// the messages by ones (redis/weir.lua). In an application's own stream the two are what XADD made them. Either
// way the ids of one stream only grow.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

struct StreamId {
  std::uint64_t ms = 0;
  std::uint64_t n = 0;
  friend constexpr bool operator==(const StreamId&, const StreamId&) = default;
  friend constexpr std::strong_ordering operator<=>(const StreamId& a, const StreamId& b) {
    return a.ms != b.ms ? a.ms <=> b.ms : a.n <=> b.n;
  }
};

// Before every entry: "0-0". Where a channel begins that never had a message.
inline constexpr StreamId kStreamBegin{};

std::string format_stream_id(const StreamId& id);
// Returns nullopt unless `text` is what format_stream_id() writes.
std::optional<StreamId> parse_stream_id(std::string_view text);

// The greatest id below `id`. Requires that there is one.
constexpr StreamId id_before(const StreamId& id) {
  return id.n > 0 ? StreamId{id.ms, id.n - 1} : StreamId{id.ms - 1, ~std::uint64_t{0}};
}

}  // namespace weir
