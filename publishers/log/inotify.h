// The kernel's news about a directory and the files in it.
#pragma once

#include <chrono>
#include <string>

#include "publishers/log/rename_tracker.h"

namespace weir {

// Gives no news if inotify is missing or used up, so its user must poll as well.
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

  // The descriptor to poll(); -1 if there is never any news.
  int fd() const { return fd_; }
  // Watches the directory, if it exists and is not watched yet. True if the watch has just begun.
  bool watch_directory();
  // Returns the watch, -1 for none.
  int watch_file(int file) const;
  void unwatch_file(int watch) const;
  // Takes all the news there is.
  News read(RenameTracker& tracker);
  // Waits for news.
  void wait(std::chrono::milliseconds time) const;

 private:
  const std::string directory_;
  const int fd_;
  int directory_watch_ = -1;
};

}  // namespace weir
