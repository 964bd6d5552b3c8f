// News of the bytes that are written to files.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "publishers/log/inotify.h"

namespace weir {

// Has a queue of its own: writers may fill it, and the news of names must not be lost for that.
//
// Threads: any.
class ByteNews {
 public:
  using Count = std::atomic<std::uint64_t>;

  explicit ByteNews(bool is_enabled) : inotify_(is_enabled) {}

  int fd() const { return inotify_.fd(); }
  // Adds to `changes` whenever the file is written to. Returns the watch, -1 for none.
  int watch(int file, Count& changes);
  // Requires what was given to watch() and what it returned.
  void unwatch(int watch, Count& changes);
  // Takes all the news there is. False if there was none.
  bool read();

 private:
  std::mutex mutex_;  // Leaf lock.
  Inotify inotify_;   // Guarded by mutex_, as is:
  std::unordered_map<int, std::vector<Count*>> counts_;
};

}  // namespace weir
