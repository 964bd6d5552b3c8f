// The kernel's news about a directory and the files in it.
#pragma once

#include <chrono>
#include <string>

#include "publishers/log/rename_tracker.h"

namespace weir {

// Gives no news where inotify is missing or used up, so its user polls as well.
//
// Threads: one; any for unwatch_file().
class Inotify {
 public:
  struct News {
    bool names = false;  // A file came, went or was renamed.
    bool bytes = false;  // A watched file was written to.
  };

  Inotify(std::string directory, bool is_enabled);
  ~Inotify();
  Inotify(const Inotify&) = delete;
  Inotify& operator=(const Inotify&) = delete;

  // The descriptor to poll(); -1 if there are never any news.
  int fd() const { return fd_; }
  // Watches the directory, if it is there and not watched yet. True if that has begun just now.
  bool watch_directory();
  // Returns the watch, -1 for none.
  int watch_file(int file) const;
  void unwatch_file(int watch) const;
  // Takes all news there is.
  News read(RenameTracker& tracker);
  // Waits for news.
  void wait(std::chrono::milliseconds time) const;

 private:
  const std::string directory_;
  const int fd_;
  int directory_watch_ = -1;
};

}  // namespace weir
