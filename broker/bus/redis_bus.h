// The bus over Redis pub/sub. One connection subscribes, another one publishes, and where channels have a history a
// third one reads it. hiredis parses, asio moves the bytes. redis_bus.cpp says how Redis treats slow or lost
// subscribers.
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
  // Settings. broker/config.h holds their defaults.
  RedisUrl url;
  RedisFiles files;    // Read again for each connection.
  std::string prefix;  // Put before every channel name on the Redis side.
  BusLimits limits;
  std::chrono::milliseconds publish_timeout;
  // There are durable channels or followed streams: without any there is no connection to read history with.
  bool has_streams = false;
  // There are durable channels: weir_publish is installed where it is missing or older.
  bool installs_function = false;

  // Not settings: tests shorten them.
  std::chrono::milliseconds ping_interval{5'000};
  // The link is dead if a PING or a connect has no answer after this time.
  std::chrono::milliseconds answer_timeout{10'000};
  // The wait before a reconnect doubles from the first to the second, with full jitter.
  std::chrono::milliseconds backoff_min{50};
  std::chrono::milliseconds backoff_max{2'000};
  // Each followed stream is looked at so often, to see whether it was made anew.
  std::chrono::milliseconds stream_look_interval{30'000};
};

std::unique_ptr<Bus> make_redis_bus(RedisBusOptions options, BusListener& listener);

}  // namespace weir
