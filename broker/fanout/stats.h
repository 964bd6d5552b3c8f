// The counts of one shard. Scrapes sum those of all shards.
//
// Threads: the shard's writes, any reads.
#pragma once

#include <array>
#include <cstdint>

#include "broker/base/tally.h"
#include "proto/sse.h"

namespace weir {

// Why a stream was closed.
enum class CloseReason : std::uint8_t {
  kClientGone,
  kEnd,
  kDrain,
  kMaxStream,
  kSlowClient,
  kStuck,
  kRefused,
  kShutdown,
  kTokenExpired,
  kMemory,
};
inline constexpr std::array<const char*, 10> kCloseReasonNames = {
    "client-gone", "end",     "drain",    "max-stream",    "slow-client",
    "stuck",       "refused", "shutdown", "token-expired", "memory"};

struct ShardStats {
  Tally clients;  // Now.
  Tally opened;
  std::array<Tally, kCloseReasonNames.size()> closed;
  Tally messages_out;
  Tally bytes_out;
  std::array<Tally, kGapReasons> gaps;
  std::array<Tally, kGapReasons> missed;  // Messages in those of these gaps whose number is known.
  Tally heartbeats;
  Tally slow_clients;  // Now waiting for their socket.
  // Messages that wait in the logs for slow clients, and their bytes, counted for each client; up to a second
  // old.
  Tally waiting_messages;
  Tally waiting_bytes;
  TimeTally delivery;  // From the oldest message's arrival to a batch's last write, for clients that keep up.
  TimeTally lag;       // The same for a slow client, each time that its socket takes more.
  TimeTally start;     // From a stream's request to its head.
};

}  // namespace weir
