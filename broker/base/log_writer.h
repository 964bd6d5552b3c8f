// Writes lines to a descriptor on a thread of its own, so that logging never waits for the reader of the log.
//
// Threads:  any, for all functions. write() takes a lock that is never held across a system
//           call on the descriptor.
// Limits:   waiting_bytes_max bytes of lines wait, besides those that are being written. A line without room
//           is dropped and counted, and so is every later line until the thread takes the waiting ones. A
//           notice of how many were dropped then stands where they are missing.
// Failures: a failing descriptor has no reader. Its lines are gone and not counted.
//
// spdlog's async logger can't do this (checked in 1.10). mpmc_blocking_queue is bounded by messages, not by
// bytes, and allocates them all at its start. overrun_oldest drops the lines at the front without a trace;
// overrun_counter() is one number, in which a dropped request to flush counts as a line. flush() only posts
// such a request, and nothing tells when it is done. ~thread_pool() waits for room in the queue and joins its
// thread, so a stuck reader would keep the program from ending.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

#include "broker/base/mutex.h"

namespace weir {

class LogWriter {
 public:
  using SayLost = std::function<std::string(std::uint64_t lines)>;

  // Starts the thread. `descriptor` outlives this object. `say_lost` makes the notice about
  // lost lines, on that thread.
  LogWriter(int descriptor, std::size_t waiting_bytes_max, SayLost say_lost);
  // Writes the waiting lines, however long that takes.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // `line` ends with its "\n". Never waits for the descriptor.
  void write(std::string_view line);
  // Waits until everything is written, for `most` at the longest. Returns false if it is not.
  bool flush(std::chrono::milliseconds most);
  // How many lines were dropped since the start.
  std::uint64_t lost() const;

 private:
  void run();
  bool take(std::string& lines, std::uint64_t& lost) EXCLUDES(mutex_);
  bool has_work() const REQUIRES(mutex_) { return !waiting_.empty() || lost_ > told_lost_; }

  const int descriptor_;
  const std::size_t waiting_bytes_max_;
  const SayLost say_lost_;
  mutable Mutex mutex_;  // Not held during a write.
  Condition has_work_;
  Condition is_idle_;
  std::string waiting_ GUARDED_BY(mutex_);
  std::uint64_t lost_ GUARDED_BY(mutex_) = 0;
  std::uint64_t told_lost_ GUARDED_BY(mutex_) = 0;
  bool is_writing_ GUARDED_BY(mutex_) = false;
  bool is_ending_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace weir
