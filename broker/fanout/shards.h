// All shards of the gateway.
//
// Threads:   newest() is written on the bus thread alone; wake() and set_bus_up() on the bus thread; start()
//            and stop() on one; the rest on any.
// Ownership: owns the shards. The observer in the options outlives it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "broker/fanout/client.h"
#include "broker/fanout/shard.h"

namespace weir {

class Shards {
 public:
  // `seed` is for the shards' random numbers.
  Shards(std::size_t count, const ShardOptions& options, std::uint32_t seed);
  Shards(const Shards&) = delete;
  Shards& operator=(const Shards&) = delete;

  void start();
  // Ends the remaining clients, and the threads.
  void stop();

  // The sequence of the newest entry that is wholly in its log. It starts at 1, the gateway's start, so that
  // every message and every position is greater than 0.
  std::atomic<Sequence>& newest() { return newest_; }
  // Has each shard look into its inbox soon, unless it is empty.
  void wake();
  void set_bus_up(bool is_up);

  // Gives the client to the shard with the fewest.
  void add(ClientStart start);
  void begin_drain(std::chrono::milliseconds duration);
  // See Shard::relieve().
  void relieve();
  // The oldest entry that some shard may not have read; see HintInbox::unread().
  Sequence unread() const;
  // At most kSlowestMax of the clients that wait for their socket, the slowest first.
  std::vector<SlowClient> slowest() const;

  // For reading their counts.
  const std::vector<std::unique_ptr<Shard>>& each() const { return shards_; }

 private:
  std::atomic<Sequence> newest_{1};
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace weir
