// The bus over Redis pub/sub. One connection subscribes, another one publishes. hiredis parses, asio moves
// the bytes. The comments in redis_bus.cpp say what Redis does to slow or lost subscribers.
//
// Ownership: the listener outlives the bus.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "broker/bus/bus.h"
#include "redis/redis_files.h"
#include "redis/redis_url.h"

namespace weir {

struct RedisBusOptions {
  // Settings, which have their defaults in broker/config.h.
  RedisUrl url;
  RedisFiles files;    // Read again for each connection.
  std::string prefix;  // Put before every channel name on the Redis side.
  BusLimits limits;
  std::chrono::milliseconds publish_timeout;

  // No settings. Tests make them shorter.
  std::chrono::milliseconds ping_interval{5'000};
  // A PING or a connect without an answer by then: the link is dead.
  std::chrono::milliseconds answer_timeout{10'000};
  // Of reconnects: the wait doubles from the one to the other, with full jitter.
  std::chrono::milliseconds backoff_min{50};
  std::chrono::milliseconds backoff_max{2'000};
};

std::unique_ptr<Bus> make_redis_bus(RedisBusOptions options, BusListener& listener);

}  // namespace weir
