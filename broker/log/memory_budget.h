// The memory limit of all frames together: past it the oldest frame of all channels goes first.
//
// Threads:   any: the bus thread after each append, housekeeping for the forms that shards make meanwhile.
// Ownership: logs are held weakly; one that is gone needs no word.
// Limits:    frames that no log holds (HeldMemory, and what each shard has at hand) take a part of the limit
// from
//            the logs, half of it at most. What shards have still to read goes last: only when that alone is
//            past the limit, and never the newest message.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <queue>
#include <vector>

#include "broker/base/mutex.h"
#include "broker/log/channel_log.h"

namespace weir {

class MemoryBudget {
 public:
  // `held_max`: what may be held beside the logs (HeldMemory::limit()).
  explicit MemoryBudget(std::size_t bytes_max, std::size_t held_max)
      : bytes_max_(bytes_max), beside_logs_max_(std::min(held_max, bytes_max / 2)) {}
  explicit MemoryBudget(std::size_t bytes_max) : MemoryBudget(bytes_max, bytes_max / 4) {}

  const std::shared_ptr<FrameBytes>& counter() const { return counter_; }
  std::size_t total() const { return counter_->total(); }
  std::size_t limit() const { return bytes_max_; }

  // `log` has entries now (append() returned true).
  void track(const std::shared_ptr<ChannelLog>& log) EXCLUDES(mutex_);
  // enforce() has something to do.
  bool is_over() const { return counter_->logged() > logged_max(); }
  // Forgets oldest frames until the total is within the limit, or nothing is left to forget. Shards may not
  // have read yet what begins at sequence `unread`; `newest` is the last message's.
  void enforce(Sequence unread = kNothingUnread, Sequence newest = kNothingUnread) EXCLUDES(mutex_);
  static constexpr Sequence kNothingUnread = std::numeric_limits<Sequence>::max();
  // How many were, in all.
  std::uint64_t evicted() const { return evicted_.load(std::memory_order_relaxed); }

 private:
  // What is known of a log's oldest entry: its sequence when this was written. It may have been forgotten
  // since, so this is a lower bound; enforce() looks again. So a log costs nothing here while it appends and
  // trims.
  struct Oldest {
    Sequence sequence;
    std::weak_ptr<ChannelLog> log;
    bool operator>(const Oldest& other) const { return sequence > other.sequence; }
  };
  using Heap = std::priority_queue<Oldest, std::vector<Oldest>, std::greater<>>;

  // What the logs may hold, beside what others do.
  std::size_t logged_max() const { return bytes_max_ - std::min(counter_->beside_logs(), beside_logs_max_); }
  // Rebuilt without the dead and doubled entries when it has grown to this.
  void compact() REQUIRES(mutex_);

  const std::size_t bytes_max_;
  const std::size_t beside_logs_max_;
  std::shared_ptr<FrameBytes> counter_ = std::make_shared<FrameBytes>();
  std::atomic<std::uint64_t> evicted_{0};
  Mutex mutex_;  // Taken before a log's.
  Heap heap_ GUARDED_BY(mutex_);
  std::size_t compact_at_ GUARDED_BY(mutex_) = 1024;
};

}  // namespace weir
