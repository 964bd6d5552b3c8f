#include "redis/redis_error.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(RedisError, HasNoArgumentsOfACommand) {
  EXPECT_EQ(without_arguments("ERR unknown command 'AUTH', with args beginning with: 'user' 'password' "),
            "ERR unknown command 'AUTH'");
  EXPECT_EQ(without_arguments("WRONGPASS invalid username-password pair"),
            "WRONGPASS invalid username-password pair");
  EXPECT_EQ(without_arguments(""), "");
}

TEST(RedisError, MayPassOrNot) {
  for (const char* error :
       {"LOADING Redis is loading the dataset in memory", "READONLY You can't write", "OOM command",
        "BUSY Redis is busy", "ERR max number of clients reached", "MASTERDOWN Link with MASTER is down",
        "NOREPLICAS Not enough good replicas", "CLUSTERDOWN The cluster is down",
        "TRYAGAIN Multiple keys request", "MISCONF Redis is configured", "LOADING"}) {
    EXPECT_TRUE(may_pass(error)) << error;
  }
  for (const char* error : {"WRONGPASS invalid", "NOPERM no permissions", "ERR unknown command", "NOAUTH",
                            "BUSYGROUP of a stream", "ERR Protocol error: invalid bulk length", ""}) {
    EXPECT_FALSE(may_pass(error)) << error;
  }
}

TEST(RedisError, IsOneOfSize) {
  EXPECT_TRUE(is_too_large("ERR Protocol error: invalid bulk length"));
  EXPECT_FALSE(is_too_large("ERR Protocol error: expected '$', got 'x'"));
}

TEST(RedisError, IsOneOfPermission) {
  EXPECT_TRUE(is_no_permission("NOPERM User ann has no permissions to access one of the channels"));
  EXPECT_FALSE(is_no_permission("WRONGPASS invalid"));
}

}  // namespace
}  // namespace weir
