// Numbers that one thread counts and scrapes read: cheap enough for the way of a message.
//
// Threads: one writer, so an increment is a load and a store. Any thread reads.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace weir {

class Tally {
 public:
  void add(std::uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void subtract(std::uint64_t n = 1) { add(~n + 1); }
  void set(std::uint64_t n) { value_.store(n, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// The upper bounds of every histogram's buckets, in microseconds. One more bucket holds the rest.
inline constexpr std::array<std::uint64_t, 18> kBoundsMicros = {
    100,     250,     500,     1'000,     2'500,     5'000,     10'000,     25'000,     50'000,
    100'000, 250'000, 500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000, 30'000'000, 60'000'000};

// How long something took, each time.
class TimeTally {
 public:
  void observe(std::chrono::steady_clock::duration time) {
    const auto signed_micros = std::chrono::duration_cast<std::chrono::microseconds>(time).count();
    const auto micros = static_cast<std::uint64_t>(std::max<decltype(signed_micros)>(0, signed_micros));
    const auto bound = std::lower_bound(kBoundsMicros.begin(), kBoundsMicros.end(), micros);
    buckets_[static_cast<std::size_t>(bound - kBoundsMicros.begin())].add();
    micros_.add(micros);
  }
  // How many were at most bound `i`, and above the one before it. Beyond the last bound: the rest.
  std::uint64_t bucket(std::size_t i) const { return buckets_[i].value(); }
  double sum_seconds() const { return static_cast<double>(micros_.value()) / 1e6; }

 private:
  std::array<Tally, kBoundsMicros.size() + 1> buckets_;
  Tally micros_;
};

}  // namespace weir
