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

}  // namespace
}  // namespace weir
