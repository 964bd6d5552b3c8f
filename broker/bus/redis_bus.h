// Redis pub/sub. One connection subscribes, another one publishes; hiredis parses and formats, asio moves the
// bytes. What Redis does to slow or lost subscribers, and how each command fails: the comments in
// redis_bus.cpp.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "broker/bus/bus.h"
#include "proto/result.h"

namespace weir {

// redis://[user:password@]host:port[/db], or unix://path[?db=n] ("unix://user:password@/path" is accepted
// too). User and password are percent-decoded. The db only matters to keys; pub/sub ignores it.
struct RedisUrl {
  std::string host = "127.0.0.1";
  std::string port = "6379";
  std::string path;  // Of the unix socket; empty for TCP.
  std::string user;
  std::string password;
  int db = 0;
  // The URL without its password, for logs.
  std::string redacted() const;
};
Result<RedisUrl> parse_redis_url(const std::string& url);

struct RedisBusOptions {
  RedisUrl url;
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
