// What clients hold beside the logs: frames that they are in the middle of sending and that no log has any
// more, and bytes of their own. It is bounded by itself, so that stuck clients never take the logs' memory
// from everybody else: past the limit, those that have been blocked for longest are ended.
//
// Threads: any; each shard ends its own clients.
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
  // Bytes of a client's own came or went.
  void add(std::size_t bytes) { own_.fetch_add(bytes, std::memory_order_relaxed); }
  void remove(std::size_t bytes) { own_.fetch_sub(bytes, std::memory_order_relaxed); }

  std::size_t total() const { return own_.load(std::memory_order_relaxed) + frames_->beside_logs(); }
  std::size_t limit() const { return bytes_max_; }
  bool is_over() const { return total() > bytes_max_; }

  // `shard` would end a client next that has been blocked since `since`. False if another shard has one that
  // has been blocked for longer; it ends that one within a tick.
  bool is_next(const void* shard, Time since) EXCLUDES(mutex_);
  // `shard` has no client that holds anything.
  void has_none(const void* shard) EXCLUDES(mutex_);

 private:
  const std::shared_ptr<FrameBytes> frames_;
  const std::size_t bytes_max_;
  std::atomic<std::size_t> own_{0};
  Mutex mutex_;
  std::vector<std::pair<const void*, Time>> longest_
      GUARDED_BY(mutex_);  // Of each shard that was asked; one a shard.
};

}  // namespace weir
