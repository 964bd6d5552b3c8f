// Sees that something has happened to files.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "publishers/log/byte_news.h"
#include "publishers/log/name_news.h"
#include "publishers/log/open_file.h"

namespace weir {

// One for all files of a program: two inotify instances and one thread, which opens files as they appear. The
// kernel allows a user 128 instances.
//
// Threads:   changes() and wait() from any. FileWatch and FileSet use the rest.
// Limits:    remembers kClaimsMax files beside those that are open. A file system that hangs delays the news of all files.
class Watcher {
 public:
  using Clock = std::chrono::steady_clock;

  struct Options {
    // How often to look without news. Some network file systems, and files behind a link, give none.
    std::chrono::milliseconds poll{250};
    bool uses_inotify = true;
    // Say it in the log when a path can't be opened. False: the caller asks FileWatch::why_not().
    bool warns = true;
  };

  static constexpr std::size_t kClaimsMax = 8'192;

  explicit Watcher(Options options);
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // Grows whenever something may have changed: with news, and with each poll.
  std::uint64_t changes() const;
  // Waits until changes() isn't `seen`. False if `until` or a stop came first.
  bool wait(std::uint64_t seen, Clock::time_point until, const std::stop_token& stop);

  std::chrono::milliseconds poll() const { return options_.poll; }
  bool warns() const { return options_.warns; }
  // From here on calls name.look() under the lock: now, with news, and with each poll unless `name` stands for
  // a whole directory.
  void add(WatchedName& name);
  // Returns after the last call has.
  void remove(WatchedName& name);
  // Looks at all names now. They know all that happened before.
  void look_at_all();

  // For look() alone:
  NameNews& names() { return names_; }
  // Notes that `file` is read as `path`. False if it is read under another path, or was: the last kClaimsMax
  // files are remembered by their time of birth.
  bool claim(const std::shared_ptr<const OpenFile>& file, const std::string& path);

  // Lets another path have the file.
  void disclaim(const FileId& file);

  ByteNews& bytes() { return bytes_; }

 private:
  struct Claim {
    std::weak_ptr<const OpenFile> file;
    std::string path;
    std::int64_t born = 0;
    std::uint64_t number = 0;  // Grows from claim to claim.
  };

  void run();
  int sleep_milliseconds(Clock::time_point until);
  bool look_at_due();
  void look_at_each();
  void tell();
  void wake() const;

  const Options options_;
  const int wake_fd_;  // An eventfd: wakes run().
  std::atomic<bool> is_over_{false};
  ByteNews bytes_;

  std::mutex look_mutex_;  // Held while look() is called. Guards:
  NameNews names_;
  std::map<std::uint64_t, WatchedName*> polled_;  // By a number that grows.
  std::uint64_t last_number_ = 0;
  Clock::time_point next_renewal_{};
  std::map<FileId, Claim> claims_;
  std::uint64_t last_claim_ = 0;

  mutable std::mutex mutex_;  // Leaf lock. Guards:
  std::condition_variable_any changed_;
  std::uint64_t changes_ = 0;
  std::thread thread_;
};

}  // namespace weir
