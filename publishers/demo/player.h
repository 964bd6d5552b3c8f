// Publishes the messages of a script at their times.
#pragma once

#include <cstddef>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "publishers/delivery/publisher.h"
#include "publishers/demo/script.h"
#include "publishers/demo/stamp.h"

namespace weir {

// Threads: one. Any other may request a stop.
class Player {
 public:
  // With `has_stamps` each message that is an object and has no time gets that of its publishing.
  Player(Publisher& publisher, std::string channel, std::vector<Step> script, bool has_stamps);

  // Publishes each message at its time from now on, or later if publishing waits. Messages whose time has
  // come leave together, at most kBatchMax of them.
  Publisher::Ending play(const std::stop_token& stop);

 private:
  static constexpr std::size_t kBatchMax = 128;
  static constexpr std::size_t kBatchBytesMax = 256 << 10;

  std::string payload_of(std::size_t step) const;

  Publisher& publisher_;
  const std::string channel_;
  const std::vector<Step> script_;
  std::vector<std::optional<StampPlace>> stamp_places_;  // One for each step; none at all without stamps.
};

}  // namespace weir
