// The first words on a connection to Redis, the same for the gateway and the publishers.
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

// AUTH where there is a user or a password, SELECT where the URL names a db, and PING: at least one command.
// They may be sent together; each gets its reply, in order. A connection counts only when the PING is
// answered: a Redis that is stopped still accepts.
std::vector<RedisWords> login_commands(const RedisUrl& url, const std::string& password);

// Why a reply to one of these means that the connection is of no use; nullopt: it is fine. `is_ping` for the
// reply to a PING, the last one: whoever may not send it is alive none the less. The text is one that may be
// logged.
std::optional<std::string> why_not_logged_in(const redisReply& reply, bool is_ping);

}  // namespace weir
