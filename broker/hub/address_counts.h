// How many places among the clients each address holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <utility>

#include "broker/ip_address.h"
#include "broker/log/mutex.h"

namespace weir {

// Threads: all functions, any thread; only when a stream is opened and when it ends.
// Limits:  an address is held while it has a place, so there are never more of them than places.
class AddressCounts {
  // Seeded, so that nobody can choose addresses that share a bucket.
  struct Hash {
    std::uint64_t seed;
    std::size_t operator()(const IpAddress& address) const;
  };
  using Map = std::unordered_map<IpAddress, std::size_t, Hash>;

 public:
  using Entry = Map::value_type;

  explicit AddressCounts(std::uint64_t seed) : counts_(0, Hash{seed}) {}

  // Counts one more place of `network` (client_network()); null, and nothing is counted, if it has `most`.
  // What is returned is given back once.
  Entry* take(const IpAddress& network, std::size_t most);
  void give_back(Entry* entry);
  std::size_t addresses() const;

 private:
  mutable Mutex mutex_;  // Leaf lock.
  Map counts_ GUARDED_BY(mutex_);
};

}  // namespace weir
