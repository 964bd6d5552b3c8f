// How far the publishing of a file is, as one line for a terminal.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace weir {

struct Progress {
  std::uint64_t done = 0;  // Bytes.
  std::uint64_t total = 0;
  double bytes_per_second = 0;
};

// "[=====     ]  50 %  13.5 of 27.0 MiB  3.9 MiB/s  4 s left". ASCII, at most `columns` long: what doesn't fit
// is left out, the bar first. Pure.
std::string progress_text(const Progress& progress, std::size_t columns);

// The rate of the last few seconds. Time is handed in. Threads: one.
class RateMeter {
 public:
  using Clock = std::chrono::steady_clock;

  // Takes the number of bytes that are done at `now`, and returns bytes per second.
  double add(std::uint64_t done, Clock::time_point now);

 private:
  bool has_begun_ = false;
  Clock::time_point last_{};
  std::uint64_t done_ = 0;
  double rate_ = 0;    // Smoothed.
  double weight_ = 0;  // How much of the smoothing's time has passed, up to 1.
};

}  // namespace weir
