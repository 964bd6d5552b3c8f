// The memory limit of all frames together. Past it the oldest frame of all channels goes first.
//
// Threads:   any: the bus thread after each append, housekeeping for the forms that shards make meanwhile.
// Ownership: holds the logs weakly, so a log may end without notice.
// Limits:    frames outside the logs (HeldMemory, and the shards' slices) reduce the logs' share by at most
//            half of the limit. Entries that a shard has still to read go only if the logs alone pass the
//            limit, and the newest message never.
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
  // `held_max` is the limit of memory held outside the logs (HeldMemory::limit()).
  explicit MemoryBudget(std::size_t bytes_max, std::size_t held_max)
      : bytes_max_(bytes_max), beside_logs_max_(std::min(held_max, bytes_max / 2)) {}
  explicit MemoryBudget(std::size_t bytes_max) : MemoryBudget(bytes_max, bytes_max / 4) {}

  const std::shared_ptr<FrameBytes>& counter() const { return counter_; }
  std::size_t total() const { return counter_->total(); }
  std::size_t limit() const { return bytes_max_; }

  // Call it when append() of `log` returned true.
  void track(const std::shared_ptr<ChannelLog>& log) EXCLUDES(mutex_);
  // True if enforce() has something to do.
  bool is_over() const { return counter_->logged() > logged_max(); }
  // Forgets the oldest frames until the total is within the limit, or nothing is left to forget. `unread` is
  // the first sequence that some shard may not have read, `newest` that of the newest message.
  void enforce(Sequence unread = kNothingUnread, Sequence newest = kNothingUnread) EXCLUDES(mutex_);
  static constexpr Sequence kNothingUnread = std::numeric_limits<Sequence>::max();
  // How many frames it has evicted, in all.
  std::uint64_t evicted() const { return evicted_.load(std::memory_order_relaxed); }

 private:
  // The sequence of a log's oldest entry when this was written. The entry may have been forgotten since, so
  // this is a lower bound and enforce() looks again. So a log costs nothing here while it appends and trims.
  struct Oldest {
    Sequence sequence;
    std::weak_ptr<ChannelLog> log;
    bool operator>(const Oldest& other) const { return sequence > other.sequence; }
  };
  using Heap = std::priority_queue<Oldest, std::vector<Oldest>, std::greater<>>;

  // The logs' share: the limit less the memory held outside them.
  std::size_t logged_max() const { return bytes_max_ - std::min(counter_->beside_logs(), beside_logs_max_); }
  // Rebuilds the heap without dead and duplicate entries.
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
