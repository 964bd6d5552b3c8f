#include "publishers/demo/player.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

#include "process/stop.h"

namespace weir {

Player::Player(Publisher& publisher, std::string channel, std::vector<Step> script, bool has_stamps)
    : publisher_(publisher), channel_(std::move(channel)), script_(std::move(script)) {
  if (!has_stamps) return;
  stamp_places_.reserve(script_.size());
  for (const auto& step : script_) stamp_places_.push_back(stamp_place(step.payload));
}

Publisher::Ending Player::play(const std::stop_token& stop) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  std::vector<std::string> batch;
  for (std::size_t next = 0; next < script_.size();) {
    if (!wait_until(start + script_[next].at, stop)) return Publisher::Ending::kStopped;
    const auto now = Clock::now();
    std::size_t bytes = 0;
    batch.clear();
    do {
      batch.push_back(payload_of(next + batch.size()));
      bytes += batch.back().size();
    } while (batch.size() < kBatchMax && bytes < kBatchBytesMax && next + batch.size() < script_.size() &&
             start + script_[next + batch.size()].at <= now);
    const auto [ending, settled] = publisher_.publish(channel_, batch, stop);
    if (ending == Publisher::Ending::kTooLarge) {
      spdlog::error("message {} of the script has {} bytes, more than the receiver takes", next + settled + 1,
                    batch[settled].size());
    }
    if (ending != Publisher::Ending::kDone) return ending;
    for (const auto& payload : batch) spdlog::debug("published {}", payload);
    next += batch.size();
  }
  return Publisher::Ending::kDone;
}

std::string Player::payload_of(std::size_t step) const {
  const auto& payload = script_[step].payload;
  if (stamp_places_.empty() || !stamp_places_[step]) return payload;
  return stamped(payload, *stamp_places_[step], now_ms());
}

}  // namespace weir
