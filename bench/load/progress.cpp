#include "bench/load/progress.h"

#include <bit>
#include <cassert>
#include <utility>

namespace weir::bench {

// Messages of many channels are completed in any order: one that is late may share the ring with later ones.
Progress::Progress(std::vector<std::uint32_t> clients_of, std::uint32_t in_flight_max)
    : clients_of_(std::move(clients_of)),
      in_flight_max_(in_flight_max),
      missing_(std::bit_ceil(std::size_t{in_flight_max} * 2)) {
  assert(!clients_of_.empty() && in_flight_max > 0);
}

bool Progress::can_publish() const {
  const std::uint64_t sequence = published();
  return sequence - completed() < in_flight_max_ &&
         missing_[sequence & (missing_.size() - 1)].load(std::memory_order_acquire) == 0;
}

void Progress::publish_next() {
  assert(can_publish());
  const std::uint64_t sequence = published_.load(std::memory_order_relaxed);
  const std::uint32_t clients = clients_of_[sequence % clients_of_.size()];
  missing_[sequence & (missing_.size() - 1)].store(clients, std::memory_order_relaxed);
  if (clients == 0) completed_.fetch_add(1, std::memory_order_acq_rel);
  published_.store(sequence + 1, std::memory_order_release);
}

bool Progress::received(std::uint64_t sequence) {
  auto& missing = missing_[sequence & (missing_.size() - 1)];
  if (missing.fetch_sub(1, std::memory_order_acq_rel) != 1) return false;
  completed_.fetch_add(1, std::memory_order_acq_rel);
  return true;
}

}  // namespace weir::bench
