// The places for clients, with limits on their number, in all and by address, and on their rate.
//
// Threads: call every function from any thread; none blocks.
// Limits:  `places_max` at once, per_address_max of them for one address; per_second_max new ones. 0 is no
//          limit for the last two.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>

#include "broker/base/mutex.h"
#include "broker/hub/address_counts.h"
#include "broker/hub/connect_rate.h"
#include "broker/hub/gateway.h"

namespace weir {

struct PlaceLimits {
  std::size_t places_max;  // At least 1.
  std::size_t per_address_max;
  std::size_t per_second_max;
};

class Places {
 public:
  explicit Places(const PlaceLimits& limits) : limits_(limits), rate_(limits.per_second_max) {}
  Places(const Places&) = delete;
  Places& operator=(const Places&) = delete;

  // Takes a place for one more client of `client`'s address, or tells why there is none. The place refers to
  // this object: destroy it first.
  Gateway::Admission admit(const IpAddress& client);
  // Admits nobody from now on. Calls `done`, on some thread, when all places have been given back. Returns
  // one more place: hold it until you are ready for `done`.
  Place close(std::function<void()> done);
  bool is_closed() const { return is_closed_; }

  std::size_t taken() const { return taken_; }
  std::size_t limit() const { return limits_.places_max; }
  // Addresses that hold a place; 0 if there is no limit per address.
  std::size_t addresses() const { return addresses_.addresses(); }

 private:
  void give_back(AddressCounts::Entry* of_address);

  const PlaceLimits limits_;
  std::atomic<std::size_t> taken_{0};
  AddressCounts addresses_;
  ConnectRate rate_;
  std::atomic<bool> is_closed_{false};
  Mutex mutex_;
  std::function<void()> done_ GUARDED_BY(mutex_);
};

}  // namespace weir
