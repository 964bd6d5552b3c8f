// The successive files at one path.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "publishers/log/open_file.h"
#include "publishers/log/path_status.h"
#include "publishers/log/watcher.h"

namespace weir {

// Opens each file as soon as it appears, so that none is lost while the reader is busy or waits for Redis. A
// file that was renamed or removed since is still read to its end. A file that another FileWatch reads, or
// has read, is left to that one: app.log.1 is read as app.log.
//
// Threads:   looks on the Watcher's. All functions are for the one reader.
// Ownership: shares files with the reader, which may keep one longer.
// Limits:    kFilesMax files. Past it the oldest file that is not being read is given up, with a warning.
// Failure:   warns once with the reason if what is at the path can't be read, and tries again with each poll.
//            Meanwhile the files that are open stay as they are.
class FileWatch {
 public:
  static constexpr std::size_t kFilesMax = 64;

  FileWatch(Watcher& watcher, std::string path);
  ~FileWatch();
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

  // The file to read; nullptr if there is none yet.
  std::shared_ptr<const OpenFile> current() const;
  // The file after the current one; nullptr if there is none yet.
  std::shared_ptr<const OpenFile> next() const;
  // The newest file, which may be the current one; nullptr if there is none yet.
  std::shared_ptr<const OpenFile> last() const;
  // How many files are held, the current one included.
  std::size_t held() const;
  // True if the file is one of these.
  bool holds(const FileId& id) const;
  // Ends the reading of the current file. Requires a next one.
  void drop_current();

  // Why the path can't be read now, as one phrase; empty if it can be, or if nothing is there yet.
  std::string why_not() const;
  // True if the current file has no name any more and nothing has followed it.
  bool is_removed() const;

  // Grows whenever something may have changed here. Only then is there something to read.
  std::uint64_t changes() const { return changes_; }

 private:
  using Clock = std::chrono::steady_clock;

  // What is the matter with the path.
  struct Trouble {
    std::string reason;
    Clock::time_point since;
    bool is_told = false;
  };

  void look();
  bool look_once();
  bool open_path();
  bool open_arrival();
  std::shared_ptr<OpenFile> open(const std::string& name, OpenFailure& failure);
  bool is_link() const;
  void hold(std::shared_ptr<OpenFile> file);
  void note(const std::string& reason);
  void note_success();

  Watcher& watcher_;
  const std::string path_;

  // Used under the Watcher's lock.
  WatchedName name_;
  std::optional<PathStatus> another_;  // A file at the path that another FileWatch has read.
  bool has_started_ = false;

  mutable std::mutex mutex_;  // Leaf lock. Guards:
  std::deque<std::shared_ptr<const OpenFile>> files_;
  Trouble trouble_;
  bool is_removed_ = false;

  std::atomic<std::uint64_t> changes_{0};
};

}  // namespace weir
