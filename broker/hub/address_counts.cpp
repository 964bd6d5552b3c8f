#include "broker/hub/address_counts.h"

#include <cstring>

namespace weir {

std::size_t AddressCounts::Hash::operator()(const IpAddress& address) const {
  std::uint64_t mixed = seed;
  for (std::size_t at = 0; at < address.bytes.size(); at += sizeof(std::uint64_t)) {
    std::uint64_t part = 0;
    std::memcpy(&part, address.bytes.data() + at, sizeof(part));
    // The steps of splitmix64.
    mixed = (mixed ^ part) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    mixed ^= mixed >> 31;
  }
  return static_cast<std::size_t>(mixed);
}

AddressCounts::Entry* AddressCounts::take(const IpAddress& network, std::size_t most) {
  const MutexLock lock(mutex_);
  Entry& entry = *counts_.try_emplace(network, 0).first;
  if (entry.second >= most) return nullptr;  // Which it only has with places: it was there before.
  ++entry.second;
  return &entry;
}

void AddressCounts::give_back(Entry* entry) {
  const MutexLock lock(mutex_);
  if (--entry->second == 0) counts_.erase(counts_.find(entry->first));
}

std::size_t AddressCounts::addresses() const {
  const MutexLock lock(mutex_);
  return counts_.size();
}

}  // namespace weir
