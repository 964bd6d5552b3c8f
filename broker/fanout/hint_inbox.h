// The feeds with news for one shard, each once.
//
// Threads:   add() on the bus thread and the shard's; take(), end_turn() and clear() on the shard's;
//            the rest on any.
// Ownership: it shares the feeds with their channels. `newest` outlives it.
// Limits:    one entry for each feed of the shard: Feed::is_hinted marks those that are in it.
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
  static constexpr Sequence kNothingUnread = std::numeric_limits<Sequence>::max();

  // `newest` is the sequence of the newest entry that is wholly in its log.
  explicit HintInbox(const std::atomic<Sequence>& newest) : newest_(newest) {}

  // `feed` has news and is in no inbox: the caller has just set is_hinted.
  void add(std::shared_ptr<Feed> feed);
  bool empty() const;
  // Moves its feeds into `turn`, which is empty.
  void take(std::vector<std::shared_ptr<Feed>>& turn);
  // The turn is over. If something came meanwhile, entries from `oldest_unread` on may be unread.
  void end_turn(Sequence oldest_unread);
  void clear();

  // Entries from this sequence on may not have been read yet; kNothingUnread if there are none. Exact on the
  // bus thread: it includes that thread's latest additions.
  Sequence unread() const { return unread_.load(std::memory_order_relaxed); }

 private:
  const std::atomic<Sequence>& newest_;
  mutable Mutex mutex_;
  std::vector<std::shared_ptr<Feed>> feeds_ GUARDED_BY(mutex_);
  std::atomic<Sequence> unread_{kNothingUnread};  // Written under mutex_.
};

}  // namespace weir
