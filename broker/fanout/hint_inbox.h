// The feeds with news for one shard, each once.
//
// Threads:   add() on the bus thread and the shard's; take(), end_turn() and clear() on the shard's;
//            the rest on any.
// Ownership: it shares the feeds with their channels. `newest` outlives it.
// Limits:    one entry for each feed of the shard: Feed::is_hinted marks those that are in it or in a turn.
#pragma once

#include <atomic>
#include <limits>
#include <memory>
#include <vector>

#include "broker/base/mutex.h"
#include "proto/event_id.h"

namespace weir {

struct Feed;

class HintInbox {
 public:
  // Later than every sequence.
  static constexpr Sequence kNothingUnread = std::numeric_limits<Sequence>::max();

  // `newest` is the sequence of the newest entry that is wholly in its log.
  explicit HintInbox(const std::atomic<Sequence>& newest) : newest_(newest) {}

  // Requires that the caller has changed feed->is_hinted from false to true, so that no feed is in twice.
  void add(std::shared_ptr<Feed> feed);
  bool empty() const;
  // Moves its feeds into `turn`, which is empty.
  void take(std::vector<std::shared_ptr<Feed>>& turn);
  // The turn is over. If something came meanwhile, entries from `oldest_unread` on may be unread.
  void end_turn(Sequence oldest_unread);
  void clear();

  // Entries from this sequence on may not have been read yet; kNothingUnread if there are none. A lower
  // bound, which includes the latest additions of the calling thread.
  Sequence unread() const { return unread_.load(std::memory_order_relaxed); }

 private:
  const std::atomic<Sequence>& newest_;
  mutable Mutex mutex_;
  std::vector<std::shared_ptr<Feed>> feeds_ GUARDED_BY(mutex_);
  std::atomic<Sequence> unread_{kNothingUnread};  // Written under mutex_.
};

}  // namespace weir
