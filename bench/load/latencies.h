// Times from when a message was due to when a client had it.
#pragma once

#include <cstdint>
#include <memory>

namespace weir::bench {

// A histogram with bins of 1 % of their value, from 1 µs to 100 s. Threads: one at a time.
class Latencies {
 public:
  Latencies();
  ~Latencies();
  Latencies(Latencies&&) noexcept;
  Latencies& operator=(Latencies&&) noexcept;

  void add(std::int64_t ns);
  void add(const Latencies& other);
  std::uint64_t count() const;
  // The upper end, in milliseconds, of the bin that holds the share `part` (0.99) of all; 0
  // if there are none.
  double milliseconds_at(double part) const;
  double milliseconds_max() const;

 private:
  struct Histogram;
  std::unique_ptr<Histogram> histogram_;
};

}  // namespace weir::bench
