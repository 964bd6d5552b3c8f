#include "broker/fanout/hint_inbox.h"

#include <utility>

#include "broker/fanout/feed.h"

namespace weir {

void HintInbox::add(std::shared_ptr<Feed> feed) {
  const MutexLock lock(mutex_);
  feeds_.push_back(std::move(feed));
  if (unread() == kNothingUnread)
    unread_.store(newest_.load(std::memory_order_acquire), std::memory_order_relaxed);
}

bool HintInbox::empty() const {
  const MutexLock lock(mutex_);
  return feeds_.empty();
}

void HintInbox::take(std::vector<std::shared_ptr<Feed>>& turn) {
  const MutexLock lock(mutex_);
  turn.swap(feeds_);
}

void HintInbox::end_turn(Sequence oldest_unread) {
  const MutexLock lock(mutex_);
  unread_.store(feeds_.empty() ? kNothingUnread : oldest_unread, std::memory_order_relaxed);
}

void HintInbox::clear() {
  const MutexLock lock(mutex_);
  feeds_.clear();
}

}  // namespace weir
