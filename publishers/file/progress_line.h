// A line on the terminal that shows how far it is, and makes room for the lines of the log.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "publishers/file/progress_text.h"

namespace spdlog {
class logger;
}

namespace weir {

// Does nothing unless standard error is a terminal that can go back to the start of a line.
//
// Threads: show() on one; any may log meanwhile.
// Limits:  writes at most five times a second, and never more than a line of the terminal.
class ProgressLine {
 public:
  // Clears the line before each line of the default logger, which it replaces until it is destroyed.
  ProgressLine();
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(std::uint64_t done, std::uint64_t total);
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  const bool is_shown_;
  std::shared_ptr<spdlog::logger> logger_;  // The one that was there.
  std::mutex mutex_;                        // Of the terminal, and of all below.
  std::size_t columns_used_ = 0;
  Clock::time_point next_{};
  RateMeter meter_;
};

}  // namespace weir
