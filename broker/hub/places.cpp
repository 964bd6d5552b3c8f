#include "broker/hub/places.h"

#include <chrono>
#include <utility>

namespace weir {

Gateway::Admission Places::admit(const IpAddress& client) {
  if (is_closed_) return {std::nullopt, NoPlace::kDraining};
  AddressCounts::Entry* of_address = nullptr;
  if (limits_.per_address_max != 0) {
    of_address = addresses_.take(client_network(client), limits_.per_address_max);
    if (of_address == nullptr) return {std::nullopt, NoPlace::kClientsPerAddress};
  }
  const bool is_full = taken_.fetch_add(1) >= limits_.places_max;
  Place place([this, of_address] { give_back(of_address); });
  if (is_full) return {std::nullopt, NoPlace::kClients};
  // Take the rate last: a client refused for another reason must not use it up.
  if (!rate_.take(std::chrono::steady_clock::now())) return {std::nullopt, NoPlace::kConnectsPerSecond};
  return {std::move(place)};
}

Place Places::close(std::function<void()> done) {
  {
    const MutexLock lock(mutex_);
    done_ = std::move(done);
  }
  // Take one more, so that even an empty gateway ends by giving back the last place.
  taken_.fetch_add(1);
  is_closed_ = true;
  return Place([this] { give_back(nullptr); });
}

void Places::give_back(AddressCounts::Entry* of_address) {
  if (of_address != nullptr) addresses_.give_back(of_address);
  if (taken_.fetch_sub(1) != 1 || !is_closed_) return;
  std::function<void()> done;
  {
    const MutexLock lock(mutex_);
    done.swap(done_);
  }
  if (done) done();
}

}  // namespace weir
