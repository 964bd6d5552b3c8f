#include "redis/redis_command.h"

#include <gtest/gtest.h>

#include <vector>

namespace weir {
namespace {

std::string encoded(const std::vector<std::string_view>& words) {
  std::string bytes;
  append_command(bytes, words);
  return bytes;
}

TEST(RedisCommand, IsAnArrayOfBulkStrings) {
  EXPECT_EQ(encoded({"PING"}), "*1\r\n$4\r\nPING\r\n");
  EXPECT_EQ(encoded({"PUBLISH", "a", "hello"}), "*3\r\n$7\r\nPUBLISH\r\n$1\r\na\r\n$5\r\nhello\r\n");
}

TEST(RedisCommand, HoldsAnyBytes) {
  EXPECT_EQ(encoded({"PUBLISH", "", std::string_view("a\r\n\0b", 5)}),
            std::string("*3\r\n$7\r\nPUBLISH\r\n$0\r\n\r\n$5\r\na\r\n\0b\r\n", 34));
}

TEST(RedisCommand, IsAppended) {
  std::string bytes = "before";
  append_command(bytes, std::vector<std::string_view>{"PING"});
  EXPECT_EQ(bytes, "before*1\r\n$4\r\nPING\r\n");
}

}  // namespace
}  // namespace weir
