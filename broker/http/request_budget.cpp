#include "broker/http/request_budget.h"

#include <cassert>

namespace weir {

void RequestBudget::change(const IpAddress& network, std::size_t before, std::size_t after) {
  if (before == after) return;
  // Only this thread writes.
  total_.store(total_.load(std::memory_order_relaxed) - before + after, std::memory_order_relaxed);
  if (network == IpAddress()) return;
  const auto entry = by_network_.try_emplace(network, 0).first;
  assert(entry->second >= before);
  entry->second = entry->second - before + after;
  if (entry->second == 0) by_network_.erase(entry);
}

RequestBudget::Excess RequestBudget::excess(const IpAddress& network) const {
  const auto entry = by_network_.find(network);
  if (entry != by_network_.end() && entry->second > bytes_per_address_max_) return Excess::kOfAddress;
  return total() > bytes_max_ ? Excess::kOfAll : Excess::kNone;
}

}  // namespace weir
