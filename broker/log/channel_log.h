// The recent frames of one channel, oldest first, and where every reader of it stands.
//
// Each entry has the gateway-wide sequence (order across channels), the channel's own ordinal, which counts
// messages by ones, and the bytes so far: what a reader missed, and how far it lags, are subtractions. A
// client's queue is what lies between its cursor and the end; replay reads the same frames. A gap that all
// clients share is an entry too, with a sequence but no ordinal of its own.
//
// Threads:   begin() and append() on the bus thread; all others on any, under one mutex.
// Ownership: the channel (fanout/channel.h) owns it. Limits:    history_*: what is kept for replay.
// queue_*: how far a live client may lag. Beyond the history only what a
//            reader's floor still needs is kept, and never more than history and queue together: frames past
//            that are forgotten, oldest first. A reader whose cursor was forgotten learns what it missed; it
//            never delays append().
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
  Cursor at;           // The cursor of a reader that has read this entry.
  SteadyTime arrived;  // On the bus.
};

// What a reader that can't be given everything jumps over, and where it lands.
struct Skip {
  // Messages, besides those that the gaps among them count; null if unknown. Where messages are conflated:
  // those that were dropped because their types are too many.
  std::optional<std::uint64_t> missed = 0;
  GapList gaps;                     // The shared gaps jumped over.
  std::vector<LogEntry> conflated;  // Policy "latest": the newest message of each type, in order.
  FramePtr end;  // The first end among what is jumped over: the landing place, to be sent as the last frame.
  Cursor to;
};

class ChannelLog {
 public:
  struct Limits {
    std::size_t history_messages = 100;
    std::size_t history_bytes = 1 << 20;  // Of frames in the kChannel form.
    std::chrono::seconds history_age{300};
    std::size_t queue_messages = 10'000;
    std::size_t queue_bytes = 4 << 20;
    bool keeps_latest = false;  // Policy "latest": the newest forgotten message of each type stays at hand.
  };
  struct Counts {
    std::size_t messages = 0;
    std::size_t bytes = 0;
    Sequence last_sequence = 0;  // Of the last message; 0 if there was none.
    FramePtr last_message;       // Null if there was none or it is forgotten.
  };

  explicit ChannelLog(Limits limits);
  ~ChannelLog();
  ChannelLog(const ChannelLog&) = delete;
  ChannelLog& operator=(const ChannelLog&) = delete;

  // The bus delivers from here on: positions before `sequence` are unknown to this log.
  void begin(Sequence sequence);
  // 0 before begin().
  Sequence begin_sequence() const;

  // Appends under `sequence`; sequences only ever grow. Returns true if it held no frame before
  // and holds one now.
  bool append(FramePtr frame, Sequence sequence, SteadyTime now);

  // The cursor after the last entry.
  Cursor end() const;

  // Appends to `entries` those after `from` whose sequence is at most `horizon`: up to `bytes_max` bytes, but
  // at least one if there is one. Stops after an end. Nothing is read from a `from` that was forgotten:
  // is_forgotten is set.
  struct ReadResult {
    bool is_forgotten = false;  // See skip().
    bool has_more = false;      // Entries after the last one read, within the horizon or not.
  };
  ReadResult read(const Cursor& from, Sequence horizon, std::size_t bytes_max,
                  std::vector<LogEntry>& entries) const;

  // True if a reader at `from` lags less behind `end` than the queue's limits, or by one message only.
  bool is_within_queue(const Cursor& from, const Cursor& end) const {
    const std::uint64_t messages = end.ordinal - from.ordinal;
    return messages <= 1 ||
           (messages <= limits_.queue_messages && end.bytes - from.bytes <= limits_.queue_bytes);
  }

  // Where a reader lands that must jump: the oldest entry from which everything up to `horizon`, or up to the
  // first end, fits the queue's limits (fits_queue), or the oldest one that is left. At least the newest
  // message always fits. Jumps nowhere (to is from) if nothing needs to be jumped over.
  Skip skip(const Cursor& from, bool fits_queue, Sequence horizon) const;
  // Policy "latest": all from `from` to `horizon`, conflated; at most `bytes_max` bytes of messages, but at
  // least one. Lands behind the last of them, and tells what lies up to there.
  Skip conflate(const Cursor& from, Sequence horizon, std::size_t bytes_max) const;
  // True if what was forgotten after `from` went because of the memory limit.
  bool was_evicted(const Cursor& from) const;

  // Where a reader stands that begins at `sequence`, whether the log has begun by then or not: what comes
  // later is for it, but for what is forgotten already.
  Cursor at(Sequence sequence) const;

  // The cursor of a reader that comes back at `until` and has everything up to `sequence`; nullopt where that
  // is before this log began. Only what the history's limits allow is there for it, also where the log keeps
  // more for others.
  struct Position {
    Cursor cursor;
    bool is_forgotten =
        false;  // Some of what follows is: cursor has a sequence only, what was missed can't be counted.
  };
  std::optional<Position> find_in_history(Sequence sequence, Sequence until) const;
  // Where such a reader lands whose position is forgotten.
  Skip skip_to_history(const Cursor& from, Sequence until) const;

  // Where a reader begins that asks for the last messages up to `until`. Only the channel's present run is
  // given: what follows its last end. A channel that has ended last gives the run before that end, and the
  // end.
  struct Tail {
    Cursor from;
    std::uint64_t missed = 0;  // Messages of the run that were asked for and are no history any more.
    GapList gaps;              // The shared gaps among those.
    Sequence run_begin = 0;    // A position from which whoever comes back is told of `missed` again.
  };
  Tail tail(std::size_t messages, Sequence until) const;

  // A reader's floor: entries after it are still needed by that reader (a shard, named by `reader`).
  void set_floor(const void* reader, const Cursor& floor);
  void remove_floor(const void* reader);

  // Forgets what is older than the history's age.
  void forget_old(SteadyTime now);
  // For MemoryBudget: the sequence of the oldest frame that is held (nullopt if there is none), and letting
  // go of it.
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
    FramePtr frame;  // Null while the log has the entry, and once it went because of the memory limit.
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
  // The index of the oldest entry that is history at `until`, counted from the newest `messages` ones.
  std::size_t history_index(std::size_t messages, Sequence until) const REQUIRES(mutex_);
  // The index of the first end after `from`, or of the last entry within `horizon`; plus one.
  std::size_t index_of_end(const Cursor& from, Sequence horizon) const REQUIRES(mutex_);
  // Fills gaps and end of `skip` for a jump from `from` to before entry `index`, and sets where it lands.
  void collect_gaps(const Cursor& from, std::size_t index, Skip& skip) const REQUIRES(mutex_);
  // The cursor at which the run that is present at `last` began.
  Cursor run_begin(const Cursor& last) const REQUIRES(mutex_);
  // Remembers where the newest end stands; its frame stays in the log for now.
  void remember_end(const Cursor& at) REQUIRES(mutex_);
  // The index of the oldest forgotten end whose frame is still there; their number if there is none.
  std::size_t oldest_end() const REQUIRES(mutex_);

  const Limits limits_;
  mutable Mutex mutex_;  // Leaf lock: nothing else is locked while it is held.
  Ring<LogEntry> entries_ GUARDED_BY(mutex_);
  Cursor base_ GUARDED_BY(mutex_);           // Before the first entry: where the last forgotten one stood.
  Cursor end_ GUARDED_BY(mutex_);            // After the last entry, whether it is still there or not.
  Sequence begin_ GUARDED_BY(mutex_) = 0;    // 0: not begun.
  Sequence evicted_ GUARDED_BY(mutex_) = 0;  // The newest one that went because of the memory limit.
  Sequence last_sequence_ GUARDED_BY(mutex_) = 0;  // Of the last message.
  SteadyTime now_ GUARDED_BY(mutex_);              // The time last heard of.
  GapList gaps_ GUARDED_BY(mutex_);                // Forgotten ones.
  std::vector<End> ends_ GUARDED_BY(mutex_);       // Forgotten or not, oldest first; at most kEndsMax.
  // keeps_latest: forgotten messages, one a type, oldest first; and those that were dropped, since types are
  // too many.
  std::vector<LogEntry> latest_ GUARDED_BY(mutex_);
  GapList dropped_ GUARDED_BY(mutex_);
  std::vector<Floor> floors_ GUARDED_BY(mutex_);  // One a shard.
};

}  // namespace weir
