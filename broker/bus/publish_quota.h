// How many publishes wait inside a bus, and how many bytes: the one limit on that queue.
//
// Threads: all functions, any thread. Counting happens at the caller's side, before the bus thread knows of
// the publish, so a burst can't pile up in between.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weir {

class PublishQuota {
 public:
  PublishQuota(std::size_t count_max, std::size_t bytes_max) : count_max_(count_max), bytes_max_(bytes_max) {}

  // False, and nothing is taken, where a publish of `bytes` would pass a limit. A single one that is larger
  // than all of bytes_max is let in when nothing else waits: it would never fit otherwise.
  bool try_take(std::size_t bytes) {
    const std::size_t count_before = count_.fetch_add(1);
    const std::size_t bytes_before = bytes_.fetch_add(bytes);
    const bool fits = count_before < count_max_ && (bytes_before == 0 || bytes_before + bytes <= bytes_max_);
    if (!fits) give_back(bytes);
    return fits;
  }
  void give_back(std::size_t bytes) {
    bytes_.fetch_sub(bytes);
    count_.fetch_sub(1);
  }
  std::uint64_t waiting() const { return count_.load(); }

 private:
  const std::size_t count_max_;
  const std::size_t bytes_max_;
  std::atomic<std::size_t> count_ = 0;
  std::atomic<std::size_t> bytes_ = 0;
};

}  // namespace weir
