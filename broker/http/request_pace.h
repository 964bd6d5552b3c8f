// The recent speed of incoming or outgoing bytes.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace weir {

// Each fade() halves the weight of the past, so a client that sent much and then stopped is soon slower than
// one that continues. A value; one thread at a time.
class RequestPace {
 public:
  using Clock = std::chrono::steady_clock;

  // Starts with a credit: a new client counts as fast until it proves slow.
  void begin(Clock::time_point now) {
    since_ = now;
    bytes_ = kCredit;
  }
  void add(std::size_t bytes) { bytes_ += static_cast<double>(bytes); }
  void fade(Clock::time_point now) {
    bytes_ /= 2;
    since_ += (now - since_) / 2;
  }
  double bytes_per_second(Clock::time_point now) const {
    constexpr std::chrono::duration<double> kLeast = std::chrono::milliseconds(1);
    return bytes_ / std::max(std::chrono::duration<double>(now - since_), kLeast).count();
  }

 private:
  static constexpr double kCredit = 64 << 10;

  Clock::time_point since_;
  double bytes_ = 0;
};

}  // namespace weir
