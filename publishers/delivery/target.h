// The destination of messages: the value of --to.
#pragma once

#include <cstdint>
#include <string>

#include "proto/result.h"
#include "redis/redis_url.h"

namespace weir {

//   redis://, rediss://, unix://               a Redis (redis/redis_url.h)
//   http://[user:password@]host[:port][/base]  a gateway; port 80; user and password as Basic authorization
//
// User and password are percent-decoded.
struct Target {
  enum class Kind { kRedis, kHttp };
  Kind kind = Kind::kRedis;
  RedisUrl redis;    // For kRedis. The rest is for kHttp.
  std::string host;  // Without the brackets of an IPv6 address.
  std::uint16_t port = 0;
  std::string path;  // The base ("/weir"), may be empty.
  std::string user;
  std::string password;

  // The URL without its password, for people.
  std::string redacted() const;
};

// The error says what is accepted. It never repeats the text, which may hold a password.
Result<Target> parse_target(const std::string& text);

}  // namespace weir
