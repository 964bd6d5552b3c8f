// The URL of a Redis: its address, user and password.
#pragma once

#include <string>

#include "proto/result.h"

namespace weir {

//   redis://[user[:password]@]host[:port][/db]   defaults: host 127.0.0.1, port 6379
//   rediss://…                                   the same over TLS
//   unix://[user[:password]@]/path[?db=n]        a unix socket
//
// User and password are percent-decoded; ":password@" has no user, "user:@" an empty password. The db matters
// to keys only: pub/sub ignores it.
struct RedisUrl {
  bool is_tls = false;
  std::string host = "127.0.0.1";  // Without the brackets of an IPv6 address.
  std::string port = "6379";
  std::string path;  // The unix socket; empty for TCP.
  std::string user;
  std::string password;
  bool has_password = false;
  int db = 0;
  // The URL without its password, for logs.
  std::string redacted() const;
};

// The error is one line. It repeats no part of the URL, which may hold a password.
Result<RedisUrl> parse_redis_url(const std::string& text);

}  // namespace weir
