#include "broker/log/memory_budget.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace weir {

void MemoryBudget::track(const std::shared_ptr<ChannelLog>& log) {
  const auto sequence = log->front_sequence();
  if (!sequence) return;
  const MutexLock lock(mutex_);
  heap_.push({*sequence, log});
  if (heap_.size() >= compact_at_) compact();
}

void MemoryBudget::enforce(Sequence unread, Sequence newest) {
  if (!is_over()) return;
  const MutexLock lock(mutex_);
  while (is_over() && !heap_.empty()) {
    Oldest oldest = heap_.top();
    // The heap holds lower bounds, so if this one is unread, all others are, too.
    const bool is_unread = oldest.sequence >= unread;
    if (is_unread && (counter_->logged() <= bytes_max_ || oldest.sequence >= newest)) return;
    heap_.pop();
    const auto log = oldest.log.lock();
    if (!log) continue;
    const auto front = log->front_sequence();
    if (!front) continue;  // Empty now: append() will report its next frame.
    if (*front == oldest.sequence) {
      log->evict_front();
      evicted_.fetch_add(1, std::memory_order_relaxed);
    }
    if (const auto next = log->front_sequence()) heap_.push({*next, std::move(oldest.log)});
  }
}

void MemoryBudget::compact() {
  Heap fresh;
  std::unordered_set<const ChannelLog*> seen;
  for (; !heap_.empty(); heap_.pop()) {
    const auto log = heap_.top().log.lock();
    if (!log || !seen.insert(log.get()).second) continue;
    if (const auto front = log->front_sequence()) fresh.push({*front, log});
  }
  heap_ = std::move(fresh);
  compact_at_ = std::max<std::size_t>(1024, heap_.size() * 2);
}

}  // namespace weir
