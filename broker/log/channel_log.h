// The recent frames of one channel, oldest first.
//
// Each entry has the gateway-wide sequence (order across channels), the channel's own ordinal (it counts
// messages by ones), and the bytes so far, so a reader's loss and its lag are subtractions. A client's queue
// is the part between its cursor and the end; a replay reads the same frames. A gap that all clients share is
// an entry too, with a sequence but no ordinal of its own.
//
// Threads:   begin() and append() on the bus thread, the rest on any, under one mutex.
// Ownership: the channel (fanout/channel.h) owns it.
// Limits:    history_* bound the replay, queue_* the lag of a live client. Past the history it keeps only
//            the entries that a reader's floor still needs, and never more than history and queue
//            together. It forgets the oldest frames first. A reader whose cursor was forgotten learns what
//            it missed; append() never waits for it to catch up.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/base/mutex.h"
#include "broker/log/cursor.h"
#include "broker/log/frame.h"
#include "broker/log/gap_list.h"
#include "broker/log/ring.h"
#include "proto/event_id.h"

namespace weir {

using SteadyTime = std::chrono::steady_clock::time_point;

struct LogEntry {
  FramePtr frame;
  Cursor at;           // The cursor of a reader that has read it.
  SteadyTime arrived;  // When the bus brought it.
};

// The jump of a reader that cannot have everything: the entries it jumps over, and where it lands.
struct Skip {
  // The number of messages jumped over, without those that `gaps` count; null if unknown. With conflated
  // messages: only those dropped because there were too many types.
  std::optional<std::uint64_t> missed = 0;
  GapList gaps;  // The shared gaps jumped over.
  // Policy "latest": the newest message of each type, in order.
  std::vector<LogEntry> conflated;
  // The first end among the entries jumped over. The reader lands on it: send it as the last frame.
  FramePtr end;
  Cursor to;
  StreamId to_id = {};  // A channel with a history: the id at `to`.
};

class ChannelLog {
 public:
  // Those without a default are settings: the hub fills them in.
  struct Limits {
    std::size_t history_messages;
    std::size_t history_bytes;  // Of frames in the kChannel form.
    std::chrono::seconds history_age;
    std::size_t queue_messages;
    std::size_t queue_bytes;
    // Policy "latest": keep the newest forgotten message of each type.
    bool keeps_latest = false;
  };
  struct Counts {
    std::size_t messages = 0;
    std::size_t bytes = 0;
    Sequence last_sequence = 0;  // The last message's; 0 if there was none.
    FramePtr last_message;       // Null if there was none or it is forgotten.
  };

  explicit ChannelLog(Limits limits);
  ~ChannelLog();
  ChannelLog(const ChannelLog&) = delete;
  ChannelLog& operator=(const ChannelLog&) = delete;

  // Starts the log at `sequence`, from which on the bus delivers. Earlier positions are unknown to it. The log of a
  // channel with a history begins behind the entry `stream_id`.
  void begin(Sequence sequence, const StreamId& stream_id = {});
  // The sequence given to begin(); 0 before.
  Sequence begin_sequence() const;

  // Appends `frame` under `sequence`, which must grow. Returns true if the log held no frame
  // before and holds one now.
  bool append(FramePtr frame, Sequence sequence, SteadyTime now);

  // The cursor after the last entry.
  Cursor end() const;

  // Appends to `entries` those after `from` whose sequence is at most `horizon`: up to `bytes_max`
  // bytes, but at least one if there is one. Stops after an end. Reads nothing and sets is_forgotten if
  // an entry after `from` was forgotten.
  struct ReadResult {
    bool is_forgotten = false;  // The reader must skip().
    bool has_more = false;      // Entries after the last one read, within the horizon or not.
  };
  ReadResult read(const Cursor& from, Sequence horizon, std::size_t bytes_max,
                  std::vector<LogEntry>& entries) const;

  // A channel with a history: the entries have their ids in the stream, which grow.

  // The id of the newest entry; that given to begin() before the first.
  StreamId end_id() const;
  // The id of the newest end; "0-0" if there was none.
  StreamId last_end_id() const;
  // The id given to begin().
  StreamId begin_id() const;
  // The followed stream was made anew, and its ids begin anew behind `id`. append() a gap of this id next.
  void begin_anew(const StreamId& id);

  // Where a reader joins that has everything up to `id`.
  struct Joint {
    enum class Place : std::uint8_t {
      kHere,     // At `cursor`: every later entry is here.
      kBefore,   // The log does not reach back so far, or knows nothing of an id's birth: history decides.
      kBeyond,   // The newest entry here is older.
      kUnknown,  // The log has not begun.
    };
    Place place = Place::kUnknown;
    Cursor cursor = {};
    StreamId base = {};  // kBefore: the oldest id from which on the log has everything.
  };
  Joint join(const StreamId& id) const;

  // When the oldest entry after `from` arrived that is still here; nullopt if there is none.
  std::optional<SteadyTime> arrival_after(const Cursor& from) const;

  // True if a reader at `from` lags behind `end` within the queue's limits, or by one message.
  bool is_within_queue(const Cursor& from, const Cursor& end) const {
    const std::uint64_t messages = end.ordinal - from.ordinal;
    return messages <= 1 ||
           (messages <= limits_.queue_messages && end.bytes - from.bytes <= limits_.queue_bytes);
  }

  // Returns the jump of a reader at `from`. With `fits_queue` it lands at the oldest entry from
  // which everything up to `horizon`, or up to the first end, fits the queue's limits; the newest
  // message always fits. Otherwise it lands at the oldest remaining entry. Skip::to is `from` if
  // there is nothing to jump over.
  Skip skip(const Cursor& from, bool fits_queue, Sequence horizon) const;
  // Policy "latest": conflates the entries between `from` and `horizon`, up to `bytes_max` bytes of messages
  // but at least one. Lands after the last of them.
  Skip conflate(const Cursor& from, Sequence horizon, std::size_t bytes_max) const;
  // True if an entry after `from` was forgotten because of the memory limit.
  bool was_evicted(const Cursor& from) const;

  // The cursor of a reader that starts at `sequence` and receives every later entry still held.
  // Valid before begin(), too.
  Cursor at(Sequence sequence) const;
  // The same with the id of a channel with a history there; nullopt before begin().
  struct Place {
    Cursor cursor;
    std::optional<StreamId> id;
  };
  Place place_at(Sequence sequence) const;

  // The cursor of a reader that reconnects at `until` with everything up to `sequence`; nullopt if that
  // predates this log. The history's limits bound what it may read, even if slower readers keep more alive.
  struct Position {
    Cursor cursor;
    // True if later entries were forgotten. `cursor` then has a sequence only, since the missed messages
    // can't be counted.
    bool is_forgotten = false;
  };
  std::optional<Position> find_in_history(Sequence sequence, Sequence until) const;
  // The jump of such a reader if is_forgotten is set.
  Skip skip_to_history(const Cursor& from, Sequence until) const;

  // Where to begin for the last `messages` up to `until`. Only messages of the present run count; it begins
  // after the channel's last end. If that end is the newest entry, the run before it counts, and the end.
  struct Tail {
    Cursor from;
    // Wanted messages of the run that have left the history.
    std::uint64_t missed = 0;
    GapList gaps;            // The shared gaps among those.
    Sequence run_begin = 0;  // A reader that resumes here is told of `missed` again.
  };
  Tail tail(std::size_t messages, Sequence until) const;

  // Keeps the entries after `floor`, within the limits, for `reader`: a shard, identified by an address.
  void set_floor(const void* reader, const Cursor& floor);
  void remove_floor(const void* reader);

  // Forgets entries that are older than history_age.
  void forget_old(SteadyTime now);
  // For MemoryBudget: the sequence of the oldest frame held, nullopt if there is none; and its removal.
  std::optional<Sequence> front_sequence() const;
  void evict_front();

  Counts counts() const;
  const Limits& limits() const { return limits_; }

 private:
  struct Floor {
    const void* reader;
    Cursor at;
  };
  struct End {
    Cursor at;
    FramePtr frame;  // Null while the entry is in the log, and after the memory limit took it.
  };

  void trim(SteadyTime now) REQUIRES(mutex_);
  bool is_needed(const LogEntry& entry) const REQUIRES(mutex_);
  void forget_front(bool may_keep_latest) REQUIRES(mutex_);
  void remember_latest(LogEntry entry) REQUIRES(mutex_);
  bool holds_none() const REQUIRES(mutex_) {
    return entries_.empty() && latest_.empty() && oldest_end() == ends_.size();
  }
  // The index of the first entry after `sequence`.
  std::size_t index_after(Sequence sequence) const REQUIRES(mutex_);
  Cursor before(std::size_t index) const REQUIRES(mutex_);
  const StreamId& id_before(std::size_t index) const REQUIRES(mutex_);
  // The index of the oldest entry in the history at `until`, limited to the newest `messages` ones.
  std::size_t history_index(std::size_t messages, Sequence until) const REQUIRES(mutex_);
  // The index of the first end after `from`, or of the last entry within `horizon`; plus one.
  std::size_t index_of_end(const Cursor& from, Sequence horizon) const REQUIRES(mutex_);
  // Sets gaps, end and landing place of `skip`, for a jump from `from` to before entry `index`.
  void collect_gaps(const Cursor& from, std::size_t index, Skip& skip) const REQUIRES(mutex_);
  // The cursor at which the run that holds `last` began.
  Cursor run_begin(const Cursor& last) const REQUIRES(mutex_);
  // Remembers the place of the newest end. Its frame stays in the log for now.
  void remember_end(const Cursor& at) REQUIRES(mutex_);
  // The index of the oldest forgotten end that still has its frame; their number if there is none.
  std::size_t oldest_end() const REQUIRES(mutex_);

  const Limits limits_;
  mutable Mutex mutex_;  // Leaf lock: nothing else is locked while it is held.
  Ring<LogEntry> entries_ GUARDED_BY(mutex_);
  Cursor base_ GUARDED_BY(mutex_);         // Before the first entry, after the last forgotten one.
  Cursor end_ GUARDED_BY(mutex_);          // After the last entry, forgotten or not.
  Sequence begin_ GUARDED_BY(mutex_) = 0;  // 0: not begun.
  StreamId begin_id_ GUARDED_BY(mutex_);
  StreamId base_id_ GUARDED_BY(mutex_);  // At base_.
  StreamId end_id_ GUARDED_BY(mutex_);   // At end_.
  StreamId last_end_id_ GUARDED_BY(mutex_);
  Sequence anew_ GUARDED_BY(mutex_) = 0;           // Earlier entries' ids are of a stream that is gone.
  Sequence evicted_ GUARDED_BY(mutex_) = 0;        // The newest entry that the memory limit took.
  Sequence last_sequence_ GUARDED_BY(mutex_) = 0;  // The last message's.
  SteadyTime now_ GUARDED_BY(mutex_);              // The latest time given to a call.
  GapList gaps_ GUARDED_BY(mutex_);                // Forgotten shared gaps.
  std::vector<End> ends_ GUARDED_BY(mutex_);       // Forgotten or not, oldest first; at most kEndsMax.
  // With keeps_latest: the newest forgotten message of each type in each run, oldest first. If there are too
  // many, the oldest are dropped.
  std::vector<LogEntry> latest_ GUARDED_BY(mutex_);
  GapList dropped_ GUARDED_BY(mutex_);
  std::vector<Floor> floors_ GUARDED_BY(mutex_);  // One for each shard.
};

}  // namespace weir
