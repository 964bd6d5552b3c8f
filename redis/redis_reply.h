// hiredis' replies, for the .cpp files that read them. Includes hiredis: no header includes this one.
#pragma once

#include <hiredis/hiredis.h>

#include <memory>
#include <string_view>

namespace weir {

struct FreeRedisReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using RedisReplyPtr = std::unique_ptr<redisReply, FreeRedisReply>;

// The text of a string, a status or an error, valid as long as `reply`. Empty for any other reply. Inline,
// since the gateway asks for it three times a message.
inline std::string_view text_of(const redisReply& reply) {
  return reply.str == nullptr ? std::string_view() : std::string_view(reply.str, reply.len);
}

}  // namespace weir
