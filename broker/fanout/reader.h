// Decides what one stream is sent next: a cursor for each of its channels, and the rules for moving it.
//
// A reader keeps no queue. It reads the logs of its channels from its cursors on, merges several channels by
// sequence, and jumps over entries that it cannot have any more, with a gap that counts them. It knows no
// socket and no clock: the client sends the result of read() and reports it with on_sent().
//
// A channel with a history has no such jumps, unless its rule asks for them. A subscription whose position is older
// than the log reads back: it goes through pages of the channel's stream until its position is in the log, and goes
// on there. Pages come later: read() leaves an Ask, and gives kWaits until its answer.
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
#include <utility>
#include <vector>

#include "broker/fanout/feed.h"
#include "broker/fanout/history.h"
#include "broker/fanout/stats.h"
#include "broker/log/channel_log.h"
#include "proto/position.h"

namespace weir {

struct StreamRequest;

// A subscription that reads the history of its channel.
struct ReadingBack {
  std::optional<Wish> wish;          // Where to begin, until it is known.
  PagePtr page;                      // At hand for the next read.
  std::optional<StreamId> last_end;  // The last end of the channel, once it was asked for.
  bool is_waiting = false;           // For the answer to an Ask.
  bool is_fresh = false;             // Ask for what is there now.
  StreamId logged = {};              // Where the log ended when the page was asked for.
  // The position is in the stream, and the log has not heard of it yet: wait for the log.
  bool is_ahead = false;
};

// What a reader wants to know of a channel's history: a place, or the page behind `from`.
struct Ask {
  std::uint32_t subscription = 0;
  std::optional<Wish> wish;
  StreamId from;
  bool is_fresh = false;
};

// The things that the readers of one shard share.
struct ReadContext {
  std::string epoch;                   // For event ids.
  std::shared_ptr<FrameBytes> frames;  // Counts the frames that readers make.
  std::array<Tally, kGapReasons>* gaps = nullptr;
  std::array<Tally, kGapReasons>* missed = nullptr;
  // Every entry before this sequence has left its hint; the entry at this sequence may not have yet.
  Sequence horizon = 0;
  std::vector<LogEntry> entries = {};  // Scratch memory of one read.
  History* history = nullptr;          // Null if no channel has one.
  std::vector<Ask> asks = {};          // Left by a read: its client asks them at once.
};

// One channel of a stream.
struct Subscription {
  std::shared_ptr<Feed> feed = nullptr;
  // Everything up to here was sent, or will be without the log's help.
  Cursor cursor = {};
  std::unique_ptr<ReadingBack> back = nullptr;  // Null unless it reads back: the cursor means nothing then.
  // A channel with a history: the newest entry that was sent, or will be without the log's help.
  StreamId position = {};
  std::uint32_t index_in_feed = 0;  // The shard's bookkeeping.
  // The log may hold more than the cursor has seen. Used only when several channels are merged.
  bool is_dirty = false;
  bool has_ended = false;
  bool has_history = false;
  bool has_position = false;  // `position` is known.
  bool is_newcomer = false;   // It came before the log began: it begins where the log does.

  bool awaits_log() const { return is_newcomer || (back && back->is_ahead); }
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
    kWaits,    // Nothing before the answer to an Ask, or before the log's news.
  };
  // The beginning of a stream.
  struct Start {
    std::string id;    // The first id, the position at which it begins; empty if that is not known yet.
    std::string gaps;  // Blocks for the client alone, to be sent before any message.
  };
  // The result of a replay.
  struct Replayed {
    std::uint64_t messages = 0;
    std::string id;  // The position behind it; empty if there is none.
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
  Replayed end_replay(const ReadContext& context);

  // The answers to what a read asked for, in any order. False if Redis refuses: the stream must end.
  [[nodiscard]] bool on_page(std::uint32_t subscription, PagePtr page);
  [[nodiscard]] bool on_located(ReadContext& context, std::uint32_t subscription, const Located& located);
  bool reads_back(std::uint32_t subscription) const { return subscriptions_[subscription].back != nullptr; }
  // True if the subscription waits for its log, to begin there or to go on there.
  bool awaits_log(std::uint32_t subscription) const { return subscriptions_[subscription].awaits_log(); }
  // True if some channel with a history had no log when the stream began.
  bool has_newcomers() const { return has_newcomers_; }
  // Gives those whose log has begun their position. Returns the id to tell the client; empty if nothing changed.
  std::string place_newcomers(const ReadContext& context);
  // True if the ids are put together for this client.
  bool has_own_ids() const { return composite_ != nullptr; }
  bool reads_back() const;
  // Lets go of pages at hand: the client waits for its socket.
  void drop_pages();

  // True if only the log of its one channel decides what comes next.
  bool reads_log_only() const {
    return !follows_many() && !composite_ && !replay_ && ahead_.empty() && !subscriptions_[0].has_ended &&
           !subscriptions_[0].back && !is_over_queue(0);
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

  // The ids of a stream of several channels, one of them with a history: each is put together for this client. So they
  // are while a stream of live channels resumes one of them and replays another.
  struct Composite {
    Form form = Form::kChannel;
    Sequence live = 0;  // The live channels were sent up to here.
    // By subscription: where each channel with a history was sent up to; nullopt if that is not known.
    std::vector<std::optional<StreamPosition>> sent;
    void note(const LogEntry& entry, std::uint32_t subscription, bool has_history);
  };

  std::string first_visit(ReadContext& context, const StreamRequest& request);
  std::string resume(ReadContext& context, const StreamRequest& request, std::string& gaps);
  Sequence begin_replay(ReadContext& context, std::uint32_t subscription, std::size_t messages);
  void place_cursor(ReadContext& context, std::uint32_t subscription, Sequence sequence);
  Sequence replay_last(ReadContext& context, std::uint32_t subscription, std::size_t messages);

  void read_back_from(std::uint32_t subscription, const StreamPosition& position);
  void read_back_from(std::uint32_t subscription, const Wish& wish);
  static void begin_reading_back(Subscription& mine);
  static void set_ahead(Subscription& mine, bool is_ahead);
  Next read_back(ReadContext& context, std::uint32_t subscription, std::size_t bytes_max,
                 std::vector<Outgoing>& out);
  Next read_page(ReadContext& context, const PagePtr& page, std::size_t index, std::uint32_t subscription,
                 std::size_t bytes_max, std::vector<Outgoing>& out);
  Next at_end_of_stream(ReadContext& context, std::uint32_t subscription, const ChannelLog::Joint& joint);
  // Counts a change of awaits_log().
  static void note_awaiting(const Subscription& mine, bool did_before);
  Next ask(ReadContext& context, std::uint32_t subscription, const std::optional<Wish>& wish);
  void join(std::uint32_t subscription, const Cursor& cursor);
  void tell_missing(ReadContext& context, std::uint32_t subscription, const PageStep::Gap& gap,
                    const StreamId& position);
  void drop_unreplayed(std::uint32_t subscription, std::vector<LogEntry>& entries);
  bool has_history() const;
  void set_ids(ReadContext& context, std::vector<Outgoing>& out) const;
  std::string composite_id(const ReadContext& context, const Composite& composite) const;
  std::string position_id(const ReadContext& context, Sequence sequence) const;

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
                  const std::string& id, const StreamId& stream_id);

  std::vector<Subscription> subscriptions_;
  // Entries to be sent before the logs are read on: gaps of a jump, conflated messages, ends.
  std::vector<Outgoing> ahead_;
  std::unique_ptr<Replay> replay_;
  std::unique_ptr<Composite> composite_;
  std::uint32_t gaps_ = 0;
  bool has_newcomers_ = false;
};

}  // namespace weir
