#include "broker/log/held_memory.h"

#include <algorithm>

namespace weir {

bool HeldMemory::is_next(const void* shard, Time since) {
  const MutexLock lock(mutex_);
  const auto mine =
      std::find_if(longest_.begin(), longest_.end(), [&](const auto& one) { return one.first == shard; });
  if (mine == longest_.end()) {
    longest_.emplace_back(shard, since);
  } else {
    mine->second = since;
  }
  return std::none_of(longest_.begin(), longest_.end(), [&](const auto& one) { return one.second < since; });
}

void HeldMemory::has_none(const void* shard) {
  const MutexLock lock(mutex_);
  std::erase_if(longest_, [&](const auto& one) { return one.first == shard; });
}

}  // namespace weir
