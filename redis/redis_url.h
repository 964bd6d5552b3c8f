// Which Redis, and as whom.
#pragma once

#include <string>

#include "proto/result.h"

namespace weir {

//   redis://[user[:password]@]host[:port][/db]   host 127.0.0.1 and port 6379 where they are left out
//   rediss://…                                   the same over TLS
//   unix://[user[:password]@]/path[?db=n]        a unix socket
//
// User and password are percent-decoded; ":password@" has no user, "user:@" an empty password. The db only
// matters to keys; pub/sub ignores it.
struct RedisUrl {
  bool is_tls = false;
  std::string host = "127.0.0.1";  // Without the brackets of an IPv6 address.
  std::string port = "6379";
  std::string path;  // Of the unix socket; empty for TCP.
  std::string user;
  std::string password;
  bool has_password = false;
  int db = 0;
  // The URL without its password, for logs.
  std::string redacted() const;
};

// The error is one line that says what is wrong and repeats no part of the URL: it may hold a password.
Result<RedisUrl> parse_redis_url(const std::string& text);

}  // namespace weir
