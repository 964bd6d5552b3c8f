// One followed stream, as StreamFollower, StreamPoller and StreamGroup share it.
//
// Threads: the bus thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/bus/streams.h"

namespace weir {

// What XINFO STREAM says. Entries-added counts all entries there ever were; Redis 6 does not know it.
struct StreamLook {
  StreamId last;  // The id that was given last; 0-0 where there is no stream.
  std::optional<std::uint64_t> entries_added;
  std::optional<StreamId> first = {};  // Of the entries that are there.
  std::uint64_t length = 0;
};

// What a stream was found to hold behind FollowedStream::after.
struct StreamBatch {
  std::vector<StreamEntry> entries;
  std::size_t largest = 0;
  bool is_dry = true;       // There was no more.
  bool has_before = false;  // The entry at `after` was there still, so there is no hole before these.
};

struct FollowedStream {
  enum class Phase : std::uint8_t {
    kAway,        // Redis is away.
    kLooking,     // XINFO STREAM is asked for the first time on this connection.
    kSubscribed,  // The listener was told, and reads the tail; then it calls follow().
    kFollowing,   // The stream has its place in a group, or is read by itself.
    kGone,        // Unsubscribed or refused.
  };

  std::string channel;
  StreamSource source;
  std::string key;  // With the prefix.
  Phase phase = Phase::kAway;
  StreamId after = {};    // kFollowing: the listener has everything up to here.
  StreamLook known = {};  // The highest id that is known to have been given.
  // At least so many entries there ever were up to `after`; nullopt: unknown.
  std::optional<std::uint64_t> added = {};
  bool needs_look = false;            // The entry at `after` may be gone: XINFO is asked with the next read.
  std::optional<StreamId> told = {};  // The listener was told of the hole behind this id.
  std::size_t entry_bytes = 0;        // The size of a large entry of the last ones; 0: none was seen.
  std::uint64_t turn = 0;
};

// A stream's place in a queue, in a group or in an unanswered command. It is void once the stream is lost,
// given up or followed anew. The stream is shared by the follower's table and these places, which may outlive
// its entry there.
struct StreamTurn {
  std::shared_ptr<FollowedStream> stream;
  std::uint64_t turn = 0;

  StreamTurn() = default;
  explicit StreamTurn(std::shared_ptr<FollowedStream> of) : stream(std::move(of)), turn(stream->turn) {}
  bool is_current() const { return stream->turn == turn; }
};

// False if entries may be gone that came after FollowedStream::after and are not in `batch`. `look` was asked
// for behind it.
//
// Redis trims from the oldest entry on. So nothing behind `after` is gone if an entry up to there is left, or
// if no more are gone than there were up to there. Else the batch is whole if nothing has come since, and it
// has as many entries as were added.
bool is_whole(const FollowedStream& stream, const StreamBatch& batch, const StreamLook& look);

// How many entries to ask for, if an entry has `entry_bytes` and the reply shall stay near kStreamReplyBytes.
inline constexpr std::size_t kStreamReplyBytes = 256 << 10;
inline constexpr std::size_t kUnknownEntryBytes = 16 << 10;
std::size_t entries_per_reply(std::size_t entry_bytes, std::size_t most);

// The size to reckon with, after a reply whose largest entry had `largest` bytes.
std::size_t next_entry_bytes(std::size_t before, std::size_t largest);

}  // namespace weir
