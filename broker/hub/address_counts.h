// Counts the places that each client address holds.
#pragma once

#include <cstddef>
#include <unordered_map>
#include <utility>

#include "broker/base/ip_address.h"
#include "broker/base/keyed_hash.h"
#include "broker/base/mutex.h"

namespace weir {

struct AddressHash {
  HashKey key = HashKey::random();
  std::size_t operator()(const IpAddress& address) const;
};

// Threads: any, when a stream opens and when it ends.
// Limits:  keeps an address while it has a place, so there are never more addresses than places. The hash has
//          a secret key, so chosen addresses can't collide.
class AddressCounts {
 public:
  using Map = std::unordered_map<IpAddress, std::size_t, AddressHash>;
  using Entry = Map::value_type;

  // Counts one more place of `network` (client_network()). Returns null and counts nothing if it has `most`.
  // Give each entry back once.
  Entry* take(const IpAddress& network, std::size_t most);
  void give_back(Entry* entry);
  std::size_t addresses() const;

 private:
  mutable Mutex mutex_;  // Leaf lock.
  Map counts_ GUARDED_BY(mutex_);
};

}  // namespace weir
