// What one stream is sent next: a cursor for each channel that it follows, and the rules for moving it.
//
// A reader keeps no queue. It reads the logs of its channels from its cursors on, merges several channels by
// sequence, and jumps over what it cannot have any more, with a gap that says what it missed. It knows no
// socket and no clock: the client sends what read() gives and reports it with on_sent().
//
// Durable history belongs here. place_cursor() is where a position older than the log becomes a gap today;
// a store of older messages would be read from there until its entries meet the log's.
//
// Threads:   the shard's.
// Ownership: the client owns its reader. A feed is shared with the shard and its channel.
// Limits:    one read() gives at most kBatchBytes, or one frame that is larger. What is ahead of the logs is
//            at most kBatchBytes of conflated messages a channel, the gaps of one jump, and an end.
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

// What the readers of one shard share.
struct ReadContext {
  std::string epoch;                   // For event ids.
  std::shared_ptr<FrameBytes> frames;  // Counts the frames that readers make.
  std::array<Tally, kGapReasons>* gaps = nullptr;
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
  // The log may hold more than the cursor has seen. Only looked at where several channels are merged.
  bool is_dirty = false;
  bool has_ended = false;
};

// An entry on its way to one client, and the index of the subscription that it came through.
struct Outgoing {
  LogEntry entry;
  std::uint32_t subscription = 0;
};

class Reader {
 public:
  enum class Next : std::uint8_t {
    kNothing,  // Caught up, or at the end of the replay.
    kEntries,  // Send what was appended to `out`.
    kJumped,   // It has moved and nothing was read: read again.
    kTooSlow,  // Policy "disconnect": the stream must end.
  };
  // Where a stream begins.
  struct Start {
    Sequence position = 0;  // What the first id names.
    std::string gaps;       // Blocks for the client alone, to be sent before anything else.
  };
  // What a replay gave, once it is over.
  struct Replayed {
    std::uint64_t messages = 0;
    Sequence until = 0;
  };

  // Adds a subscription. Before start().
  void follow(std::shared_ptr<Feed> feed, std::size_t index_in_feed);
  // Places the cursors at `now`, the newest sequence, or before it for what `request` asks to be replayed.
  Start start(ReadContext& context, const StreamRequest& request, Sequence now);
  // Leaves every channel: nothing more is read.
  void clear();

  // Appends to `out` what is to be sent next, in order.
  Next read(ReadContext& context, std::vector<Outgoing>& out);
  // Everything up to `entry` was sent, or is kept elsewhere. Returns true if the last channel
  // has ended with it.
  bool on_sent(const LogEntry& entry, std::uint32_t subscription);
  // The socket did not take `outgoing`, nor what follows it.
  void take_back(Outgoing outgoing);

  // A replay is going on: what lies before its end is history, not lag.
  bool is_replaying() const { return replay_ != nullptr; }
  void count_replayed() {
    if (replay_) ++replay_->messages;
  }
  // Requires is_replaying(), and that read() gave kNothing.
  Replayed end_replay();

  // Nothing but the log of its one channel decides what comes next.
  bool reads_log_only() const {
    return !follows_many() && !replay_ && ahead_.empty() && !subscriptions_[0].has_ended && !is_over_queue(0);
  }
  bool follows_many() const { return subscriptions_.size() > 1; }
  // The lag passes the limits of the queue. What a replay has still to give is no lag.
  bool is_over_queue(std::uint32_t subscription) const;
  // The policy of the channel ends clients whose lag passes the limits, and this one's does.
  bool is_too_slow(std::uint32_t subscription) const;

  std::vector<Subscription>& subscriptions() { return subscriptions_; }
  const std::vector<Subscription>& subscriptions() const { return subscriptions_; }
  const std::string& channel_name(std::uint32_t subscription) const {
    return subscriptions_[subscription].feed->channel->name;
  }
  void set_all_dirty();

  // Gaps that were told to this reader alone.
  std::uint32_t gaps() const { return gaps_; }
  // The memory of what is ahead of the logs: its list, and its frames that no log holds.
  std::size_t list_bytes() const { return ahead_.capacity() * sizeof(Outgoing); }
  std::size_t frame_bytes_beside_logs() const;

 private:
  struct Replay {
    Sequence until = 0;             // The newest sequence when the stream began.
    std::vector<Cursor> live_from;  // Of each subscription: what lies before is history.
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
