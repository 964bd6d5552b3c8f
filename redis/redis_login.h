// The first commands on a connection to Redis, the same for the gateway and the publishers.
//
// Threads: any; pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "redis/redis_url.h"

struct redisReply;

namespace weir {

using RedisWords = std::vector<std::string>;

// AUTH if there is a user or a password, SELECT if the URL names a db, and PING: at least one command. They
// may be sent together; each gets its reply, in order. Use a connection only after the reply to PING: a
// stopped Redis still accepts connections.
std::vector<RedisWords> login_commands(const RedisUrl& url, const std::string& password);

// The reason why a reply to one of these makes the connection useless; nullopt if it does not. The text may
// be logged. `is_ping` marks the reply to PING, the last one: a Redis that forbids it, or
// can't write its snapshot, is alive.
std::optional<std::string> why_not_logged_in(const redisReply& reply, bool is_ping);

}  // namespace weir
