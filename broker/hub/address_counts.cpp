#include "broker/hub/address_counts.h"

namespace weir {

std::size_t AddressHash::operator()(const IpAddress& address) const {
  const auto* const bytes = reinterpret_cast<const char*>(address.bytes.data());
  return static_cast<std::size_t>(keyed_hash(key, {bytes, address.bytes.size()}));
}

AddressCounts::Entry* AddressCounts::take(const IpAddress& network, std::size_t most) {
  const MutexLock lock(mutex_);
  Entry& entry = *counts_.try_emplace(network, 0).first;
  // An entry with that many places existed before, so no new one is left behind.
  if (entry.second >= most) return nullptr;
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
