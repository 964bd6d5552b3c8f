// Counts the memory of requests from their first byte until their answer: in all, and by address.
//
// Threads: total() any, everything else on the front loop.
// Limits:  reports a passed limit; the front decides which request gives way (Front::charge()). It keeps an
//          address only while that has bytes, so there are never more addresses than connections.
#pragma once

#include <atomic>
#include <cstddef>
#include <map>

#include "broker/base/ip_address.h"

namespace weir {

class RequestBudget {
 public:
  enum class Excess { kNone, kOfAddress, kOfAll };

  RequestBudget(std::size_t bytes_max, std::size_t bytes_per_address_max)
      : bytes_max_(bytes_max), bytes_per_address_max_(bytes_per_address_max) {}

  // A request of `network` (client_network()) now holds `after` bytes instead of `before`. "::" stands for
  // nobody in particular and has no limit of its own.
  void change(const IpAddress& network, std::size_t before, std::size_t after);
  // Returns the limit that is passed now: that of `network` first, then the total.
  Excess excess(const IpAddress& network) const;
  std::size_t total() const { return total_.load(std::memory_order_relaxed); }

 private:
  struct Less {
    bool operator()(const IpAddress& a, const IpAddress& b) const { return a.bytes < b.bytes; }
  };

  const std::size_t bytes_max_;
  const std::size_t bytes_per_address_max_;
  std::atomic<std::size_t> total_{0};
  std::map<IpAddress, std::size_t, Less> by_network_;  // Ordered: chosen addresses can't collide.
};

}  // namespace weir
