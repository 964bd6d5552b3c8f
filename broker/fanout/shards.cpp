#include "broker/fanout/shards.h"

#include <algorithm>
#include <utility>

namespace weir {

Shards::Shards(std::size_t count, const ShardOptions& options, std::uint32_t seed) {
  for (std::size_t i = 0; i < count; ++i)
    shards_.push_back(std::make_unique<Shard>(options, newest_, seed + static_cast<std::uint32_t>(i)));
}

void Shards::start() {
  for (const auto& shard : shards_) shard->start();
}

void Shards::stop() {
  for (const auto& shard : shards_) shard->stop();
}

void Shards::wake() {
  for (const auto& shard : shards_) shard->wake();
}

void Shards::set_bus_up(bool is_up) {
  for (const auto& shard : shards_) shard->set_bus_up(is_up);
}

void Shards::add(ClientStart start) {
  const auto emptiest = std::min_element(shards_.begin(), shards_.end(), [](const auto& a, const auto& b) {
    return a->expected_clients() < b->expected_clients();
  });
  (*emptiest)->add(std::move(start));
}

void Shards::begin_drain(std::chrono::milliseconds duration) {
  for (const auto& shard : shards_) shard->begin_drain(duration);
}

void Shards::relieve() {
  for (const auto& shard : shards_) shard->relieve();
}

Sequence Shards::unread() const {
  Sequence unread = HintInbox::kNothingUnread;
  for (const auto& shard : shards_) unread = std::min(unread, shard->unread());
  return unread;
}

std::vector<SlowClient> Shards::slowest() const {
  std::vector<SlowClient> slowest;
  for (const auto& shard : shards_) {
    for (SlowClient& client : shard->slowest()) slowest.push_back(std::move(client));
  }
  std::sort(slowest.begin(), slowest.end(), is_slower);
  if (slowest.size() > kSlowestMax) slowest.resize(kSlowestMax);
  return slowest;
}

}  // namespace weir
