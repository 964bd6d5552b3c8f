#include "redis/redis_login.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "redis/redis_reply.h"

namespace weir {
namespace {

using ::testing::ElementsAre;

std::vector<RedisWords> commands_of(const std::string& url) {
  const auto parsed = parse_redis_url(url);
  EXPECT_TRUE(parsed) << url;
  return login_commands(*parsed, parsed->password);
}

// Why the reply `bytes` is none to go on with; "fine" if it is.
std::string verdict(const std::string& bytes, bool is_ping) {
  const std::unique_ptr<redisReader, void (*)(redisReader*)> reader(redisReaderCreate(), redisReaderFree);
  redisReaderFeed(reader.get(), bytes.data(), bytes.size());
  void* next = nullptr;
  EXPECT_EQ(redisReaderGetReply(reader.get(), &next), REDIS_OK);
  const RedisReplyPtr reply(static_cast<redisReply*>(next));
  if (!reply) return "no reply";
  return why_not_logged_in(*reply, is_ping).value_or("fine");
}

TEST(RedisLogin, SaysWhoWeAreAndPings) {
  EXPECT_THAT(commands_of("redis://h"), ElementsAre(ElementsAre("PING")));
  EXPECT_THAT(commands_of("redis://:pw@h"), ElementsAre(ElementsAre("AUTH", "pw"), ElementsAre("PING")));
  EXPECT_THAT(commands_of("redis://ann:pw@h/3"),
              ElementsAre(ElementsAre("AUTH", "ann", "pw"), ElementsAre("SELECT", "3"), ElementsAre("PING")));
  EXPECT_THAT(commands_of("redis://ann:@h/0"),
              ElementsAre(ElementsAre("AUTH", "ann", ""), ElementsAre("PING")));
}

TEST(RedisLogin, GoesOnAfterAStatus) {
  EXPECT_EQ(verdict("+OK\r\n", false), "fine");
  EXPECT_EQ(verdict("+PONG\r\n", true), "fine");
}

TEST(RedisLogin, IsOverWithAnErrorButForAPingThatIsNotAllowedOrWhoseSnapshotFails) {
  EXPECT_EQ(verdict("-WRONGPASS invalid username-password pair\r\n", false),
            "WRONGPASS invalid username-password pair");
  EXPECT_EQ(verdict("-LOADING Redis is loading\r\n", true), "LOADING Redis is loading");
  EXPECT_EQ(verdict("-NOAUTH Authentication required.\r\n", true), "NOAUTH Authentication required.");
  EXPECT_EQ(verdict("-NOPERM no permissions to run 'ping'\r\n", true), "fine");
  EXPECT_EQ(verdict("-MISCONF Redis is configured to save RDB snapshots\r\n", true), "fine");
  EXPECT_EQ(verdict("-NOPERM no permissions to run 'select'\r\n", false),
            "NOPERM no permissions to run 'select'");
}

TEST(RedisLogin, RepeatsNoPassword) {
  EXPECT_EQ(verdict("-ERR unknown command 'AUTH', with args beginning with: 'ann' 'secret' \r\n", false),
            "ERR unknown command 'AUTH'");
}

TEST(RedisLogin, IsNotAnsweredByItsOwnWords) {
  EXPECT_EQ(verdict("*1\r\n$4\r\nPING\r\n", true), "it does not answer as Redis does");
  EXPECT_EQ(verdict(":1\r\n", true), "it does not answer as Redis does");
}

}  // namespace
}  // namespace weir
