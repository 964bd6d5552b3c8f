// Where messages go: what --to names.
#pragma once

#include <cstdint>
#include <string>

#include "proto/result.h"

namespace weir {

//   redis://[user:password@]host[:port][/db]   port 6379; pub/sub ignores the database number
//   unix://[user:password@]/path[?db=n]        a Redis on a unix socket
//   http://[user:password@]host[:port][/base]  a gateway; port 80; user and password as Basic authorization
//
// User and password are percent-decoded; "redis://:password@host" has no user.
struct Target {
  enum class Kind { kRedis, kHttp };
  Kind kind = Kind::kRedis;
  std::string host;  // Without the brackets of an IPv6 address.
  std::uint16_t port = 0;
  std::string path;  // Of the unix socket (kRedis; empty for TCP), or the base ("/weir", may be empty) of the
                     // gateway.
  std::string user;
  std::string password;

  bool is_unix_socket() const { return kind == Kind::kRedis && !path.empty(); }
  // The URL without user and password, for people.
  std::string redacted() const;
};

// The error says what is accepted and never repeats the text: it may hold a password.
Result<Target> parse_target(const std::string& text);

}  // namespace weir
