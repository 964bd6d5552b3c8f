// The memory that clients hold outside the logs: frames that they are sending and that no log holds
// any more, and bytes of their own. It has its own limit, so that stuck clients never take the
// logs' memory from other clients.
//
// Threads:   any. Each shard ends its own clients.
// Ownership: the hub and the shards share it.
// Limits:    bytes_max. Past it the clients blocked for longest are ended (Shard::relieve()).
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "broker/base/mutex.h"
#include "broker/log/frame.h"

namespace weir {

class HeldMemory {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit HeldMemory(std::shared_ptr<FrameBytes> frames = std::make_shared<FrameBytes>(),
                      std::size_t bytes_max = std::numeric_limits<std::size_t>::max())
      : frames_(std::move(frames)), bytes_max_(bytes_max) {}

  const std::shared_ptr<FrameBytes>& frames() const { return frames_; }
  // Counts bytes of a client's own.
  void add(std::size_t bytes) { own_.fetch_add(bytes, std::memory_order_relaxed); }
  void remove(std::size_t bytes) { own_.fetch_sub(bytes, std::memory_order_relaxed); }

  std::size_t total() const { return own_.load(std::memory_order_relaxed) + frames_->beside_logs(); }
  std::size_t limit() const { return bytes_max_; }
  bool is_over() const { return total() > bytes_max_; }

  // True if `shard` may end its client that has been blocked since `since`. False if another shard has one
  // blocked for longer; that shard ends it within a tick.
  bool is_next(const void* shard, Time since) EXCLUDES(mutex_);
  // Notes that no client of `shard` holds anything.
  void has_none(const void* shard) EXCLUDES(mutex_);

 private:
  const std::shared_ptr<FrameBytes> frames_;  // Shared with the frames and the memory budget.
  const std::size_t bytes_max_;
  std::atomic<std::size_t> own_{0};
  Mutex mutex_;
  // For each shard that has asked: since when its longest blocked client has been blocked.
  std::vector<std::pair<const void*, Time>> longest_ GUARDED_BY(mutex_);
};

}  // namespace weir
