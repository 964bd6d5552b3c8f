#include "redis/redis_login.h"

#include "redis/redis_error.h"
#include "redis/redis_reply.h"

namespace weir {

std::vector<RedisWords> login_commands(const RedisUrl& url, const std::string& password) {
  std::vector<RedisWords> commands;
  if (!url.user.empty()) {
    commands.push_back({"AUTH", url.user, password});
  } else if (!password.empty()) {
    commands.push_back({"AUTH", password});
  }
  if (url.db != 0) commands.push_back({"SELECT", std::to_string(url.db)});
  commands.push_back({"PING"});
  return commands;
}

std::optional<std::string> why_not_logged_in(const redisReply& reply, bool is_ping) {
  if (reply.type == REDIS_REPLY_STATUS) return std::nullopt;
  // A connection to oneself gives our own words back: TCP allows one to a port on which nobody listens.
  if (reply.type != REDIS_REPLY_ERROR) return "it does not answer as Redis does";
  // A Redis that can't write its snapshot answers MISCONF to PING, and publishes none the less.
  const bool is_alive = is_no_permission(text_of(reply)) || text_of(reply).starts_with("MISCONF ");
  if (is_ping && is_alive) return std::nullopt;
  return std::string(without_arguments(text_of(reply)));
}

}  // namespace weir
