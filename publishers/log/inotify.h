// The kernel's queue of news about files and directories.
#pragma once

#include <sys/inotify.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace weir {

// Gives no news if inotify is missing or used up, so its user must poll as well.
//
// Threads: its user's lock covers all functions but fd().
class Inotify {
 public:
  using Take = std::function<void(const inotify_event& event, const std::string& name)>;

  explicit Inotify(bool is_enabled);
  ~Inotify();
  Inotify(const Inotify&) = delete;
  Inotify& operator=(const Inotify&) = delete;

  // The descriptor to poll(); -1 if there is never any news.
  int fd() const { return fd_; }
  // Returns the watch, the same one for the same file; -1 for none.
  int watch(const std::string& path, std::uint32_t events);
  void unwatch(int watch) const;
  // Gives the events that there are at the time of the call, in the kernel's order.
  void read(const Take& take) const;
  // Waits for news.
  void wait(std::chrono::milliseconds time) const;

 private:
  const int fd_;
  bool has_told_ = false;  // The user knows that no more can be watched.
};

}  // namespace weir
