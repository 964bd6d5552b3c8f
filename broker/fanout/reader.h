// Decides what one stream is sent next: a cursor for each of its channels, and the rules for moving it.
//
// A reader keeps no queue. It reads the logs of its channels from its cursors on, merges several channels by
// sequence, and jumps over entries that it cannot have any more, with a gap that counts them. It knows no
// socket and no clock: the client sends the result of read() and reports it with on_sent().
//
// Durable history belongs here. place_cursor() is where a position older than the log becomes a gap today;
// a store of older messages would be read from there until its entries meet the log's.
//
// Threads:   the shard's.
// Ownership: the client owns its reader. A feed is shared with the shard and its channel.
// Limits:    one read() gives at most kBatchBytes, or one larger frame of each channel. Ahead of the logs it
//            holds at most kBatchBytes of conflated messages a channel, the gaps of one jump, and an end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/fanout/feed.h"
#include "broker/fanout/stats.h"
#include "broker/log/channel_log.h"

namespace weir {

struct StreamRequest;

// The things that the readers of one shard share.
struct ReadContext {
  std::string epoch;                   // For event ids.
  std::shared_ptr<FrameBytes> frames;  // Counts the frames that readers make.
  std::array<Tally, kGapReasons>* gaps = nullptr;
  std::array<Tally, kGapReasons>* missed = nullptr;
  // Every entry before this sequence has left its hint; the entry at this sequence may not have yet.
  Sequence horizon = 0;
  std::vector<LogEntry> entries;  // Scratch memory of one read.
};

// One channel of a stream.
struct Subscription {
  std::shared_ptr<Feed> feed;
  // Everything up to here was sent, or will be without the log's help.
  Cursor cursor;
  std::uint32_t index_in_feed = 0;  // The shard's bookkeeping.
  // The log may hold more than the cursor has seen. Used only when several channels are merged.
  bool is_dirty = false;
  bool has_ended = false;
};

// An entry on its way to one client, and the index of its subscription.
struct Outgoing {
  LogEntry entry;
  std::uint32_t subscription = 0;
};

class Reader {
 public:
  enum class Next : std::uint8_t {
    kNothing,  // Caught up, or at the end of the replay.
    kEntries,  // Send the entries appended to `out`.
    kJumped,   // The cursor has moved without a read: read again.
    kTooSlow,  // Policy "disconnect": the stream must end.
  };
  // The beginning of a stream.
  struct Start {
    Sequence position = 0;  // The position of the first id.
    std::string gaps;       // Blocks for the client alone, to be sent before any message.
  };
  // The result of a replay.
  struct Replayed {
    std::uint64_t messages = 0;
    Sequence until = 0;
  };

  // Adds a subscription. Before start().
  void follow(std::shared_ptr<Feed> feed, std::size_t index_in_feed);
  // Places the cursors at `now`, the newest sequence, or earlier for the replay that `request` asks for.
  Start start(ReadContext& context, const StreamRequest& request, Sequence now);
  // Leaves every channel: nothing more is read.
  void clear();

  // Appends to `out` the next entries to send, in order.
  Next read(ReadContext& context, std::vector<Outgoing>& out);
  // Everything up to `entry` was sent, or is kept elsewhere. Returns true if that ended the last channel.
  bool on_sent(const LogEntry& entry, std::uint32_t subscription);
  // The socket took neither `outgoing` nor anything after it.
  void take_back(Outgoing outgoing);

  // True during a replay: entries before its end are history, not lag.
  bool is_replaying() const { return replay_ != nullptr; }
  void count_replayed() {
    if (replay_) ++replay_->messages;
  }
  // Requires is_replaying(), and that read() gave kNothing.
  Replayed end_replay();

  // True if only the log of its one channel decides what comes next.
  bool reads_log_only() const {
    return !follows_many() && !replay_ && ahead_.empty() && !subscriptions_[0].has_ended && !is_over_queue(0);
  }
  bool follows_many() const { return subscriptions_.size() > 1; }
  // True if the lag passes the limits of the queue. A replay's remaining entries are no lag.
  bool is_over_queue(std::uint32_t subscription) const;
  // True if the lag passes the limits and the channel's policy is then to end the client.
  bool is_too_slow(std::uint32_t subscription) const;

  std::vector<Subscription>& subscriptions() { return subscriptions_; }
  const std::vector<Subscription>& subscriptions() const { return subscriptions_; }
  const std::string& channel_name(std::uint32_t subscription) const {
    return subscriptions_[subscription].feed->channel->name;
  }
  void set_all_dirty();

  // Gaps sent to this reader alone.
  std::uint32_t gaps() const { return gaps_; }
  // The memory of the entries ahead of the logs: their list, and their frames that are in no log.
  std::size_t list_bytes() const { return ahead_.capacity() * sizeof(Outgoing); }
  std::size_t frame_bytes_beside_logs() const;

 private:
  struct Replay {
    Sequence until = 0;             // The newest sequence when the stream began.
    std::vector<Cursor> live_from;  // By subscription: earlier entries are history.
    std::uint64_t messages = 0;
  };

  Sequence resume(ReadContext& context, const std::string& last_event_id, std::string& gaps, bool& is_known);
  void place_cursor(ReadContext& context, std::uint32_t subscription, Sequence sequence);
  Sequence replay_last(ReadContext& context, std::size_t messages);

  Next read_one(ReadContext& context, std::uint32_t subscription, Sequence horizon, std::size_t bytes_max,
                std::vector<Outgoing>& out);
  Next read_many(ReadContext& context, std::vector<Outgoing>& out);
  bool has_ended() const;
  Sequence last_ahead(const Subscription& subscription) const;
  void take_ahead(std::vector<Outgoing>& out);

  Next jump(ReadContext& context, std::uint32_t subscription, Sequence horizon);
  GapReason reason_of_jump(std::uint32_t subscription) const;
  void land_at_end(std::uint32_t subscription, Skip skip);
  void tell_skip(ReadContext& context, std::uint32_t subscription, const Cursor& from, const Skip& skip,
                 GapReason reason);
  void tell_skip_of_many(ReadContext& context, std::uint32_t subscription, const Cursor& from,
                         const Skip& skip, GapReason reason);
  void append_gap(ReadContext& context, std::string& gaps, std::uint32_t subscription,
                  std::optional<std::uint64_t> missed, GapReason reason);
  void tell_ahead(ReadContext& context, std::uint32_t subscription, std::string gaps, const Cursor& at,
                  const std::string& id);

  std::vector<Subscription> subscriptions_;
  // Entries to be sent before the logs are read on: gaps of a jump, conflated messages, ends.
  std::vector<Outgoing> ahead_;
  std::unique_ptr<Replay> replay_;
  std::uint32_t gaps_ = 0;
};

}  // namespace weir
