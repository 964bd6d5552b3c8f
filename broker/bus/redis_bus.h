// Redis pub/sub. One connection subscribes, another one publishes; hiredis parses, asio moves the
// bytes. What Redis does to slow or lost subscribers, and how each command fails: the comments in
// redis_bus.cpp.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "broker/bus/bus.h"
#include "redis/redis_files.h"
#include "redis/redis_url.h"

namespace weir {

struct RedisBusOptions {
  RedisUrl url;
  RedisFiles files;    // Read again for each connection.
  std::string prefix;  // Put before every channel name on the Redis side.
  std::size_t message_bytes_max = 4 << 20;
  std::size_t publishes_waiting_max = 10'000;
  std::size_t publishes_waiting_bytes_max = 64 << 20;
  std::chrono::milliseconds publish_timeout{5'000};
  std::chrono::milliseconds ping_interval{5'000};
  std::chrono::milliseconds answer_timeout{
      10'000};                                // A PING or a connect not answered by then: the link is dead.
  std::chrono::milliseconds backoff_min{50};  // Of reconnects, doubled up to the maximum, with full jitter.
  std::chrono::milliseconds backoff_max{2'000};
};

std::unique_ptr<Bus> make_redis_bus(RedisBusOptions options, BusListener& listener);

}  // namespace weir
