// Writes lines to a descriptor on a thread of its own: who logs never waits for whoever reads the log.
//
// Threads:   write() and the rest on any.
// Limits:    waiting_bytes_max of lines wait. Where there is no room a line is dropped and counted, and what
//            `say_lost` makes of their number follows the last line before them.
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

  LogWriter(int descriptor, std::size_t waiting_bytes_max, SayLost say_lost);
  // Writes what waits.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  void write(std::string_view line);
  // Waits until all that was given before is written, for `most` at the longest. False if it is not.
  bool flush(std::chrono::milliseconds most);
  // Since the start.
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
