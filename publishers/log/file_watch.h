// The successive files at one path.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "publishers/log/inotify.h"
#include "publishers/log/open_file.h"
#include "publishers/log/rename_tracker.h"

namespace weir {

// Opens each file as soon as it appears, so that none is lost while the reader is busy or waits for Redis. A
// file that was renamed or removed since is still read to its end.
//
// Threads:   looks on a thread of its own. All functions are for the one reader.
// Ownership: shares files with the reader, which may keep one longer.
// Limits:    kFilesMax files. Past it the oldest file that is not being read is given up, with a warning.
class FileWatch {
 public:
  static constexpr std::size_t kFilesMax = 64;

  struct Options {
    // How often to look without news. Some network file systems, and files behind a link, give none.
    std::chrono::milliseconds poll{250};
    bool uses_inotify = true;
  };

  FileWatch(std::string path, Options options);
  ~FileWatch();

  // The file to read; nullptr if there is none yet.
  std::shared_ptr<const OpenFile> current() const;
  // The file after the current one; nullptr if there is none yet.
  std::shared_ptr<const OpenFile> next() const;
  // The newest file, which may be the current one; nullptr if there is none yet.
  std::shared_ptr<const OpenFile> last() const;
  // How many files are held, the current one included.
  std::size_t held() const;
  // Ends the reading of the current file. Requires a next one.
  void drop_current();

  // Grows whenever something may have changed.
  std::uint64_t changes() const;
  // Waits until changes() isn't `seen`.
  void wait(std::uint64_t seen, const std::stop_token& stop);

 private:
  void run();
  void look();
  void open_arrival();
  bool is_held(const OpenFile& file) const;
  void hold(std::shared_ptr<OpenFile> file);
  void tell_reader();

  const std::string path_;
  const std::string directory_;
  const Options options_;
  const int wake_fd_;  // An eventfd: ends run().
  Inotify inotify_;
  RenameTracker tracker_;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<std::shared_ptr<const OpenFile>> files_;  // Guarded by mutex_, as is:
  std::uint64_t changes_ = 0;
  bool has_started_ = false;
  std::thread thread_;
};

}  // namespace weir
