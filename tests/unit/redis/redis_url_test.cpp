#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "redis/redis_url.h"

namespace weir {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

RedisUrl parsed(const std::string& text) {
  const Result<RedisUrl> url = parse_redis_url(text);
  EXPECT_TRUE(url) << text << ": " << (url ? "" : url.error().message);
  return url ? *url : RedisUrl{};
}

TEST(RedisUrl, HasDefaultsForWhatIsLeftOut) {
  const RedisUrl url = parsed("redis://");
  EXPECT_EQ(url.host, "127.0.0.1");
  EXPECT_EQ(url.port, "6379");
  EXPECT_EQ(url.path, "");
  EXPECT_EQ(url.user, "");
  EXPECT_EQ(url.password, "");
  EXPECT_EQ(url.db, 0);
  EXPECT_EQ(parsed("redis://example/").host, "example");
  EXPECT_EQ(parsed("redis://example:").port, "6379");
}

TEST(RedisUrl, ReadsEveryPart) {
  const RedisUrl url = parsed("redis://app:secret@redis.example:7000/3");
  EXPECT_EQ(url.host, "redis.example");
  EXPECT_EQ(url.port, "7000");
  EXPECT_EQ(url.user, "app");
  EXPECT_EQ(url.password, "secret");
  EXPECT_EQ(url.db, 3);
  EXPECT_EQ(parsed("redis://example?db=4").db, 4);
}

TEST(RedisUrl, TakesAPasswordWithoutAUser) {
  const RedisUrl url = parsed("redis://:secret@example");
  EXPECT_EQ(url.user, "");
  EXPECT_EQ(url.password, "secret");
}

TEST(RedisUrl, TellsAnEmptyPasswordFromNone) {
  EXPECT_FALSE(parsed("redis://app@example").has_password);
  EXPECT_EQ(parsed("redis://app@example").user, "app");
  EXPECT_TRUE(parsed("redis://app:@example").has_password);
  EXPECT_EQ(parsed("redis://app:@example").password, "");
  EXPECT_FALSE(parsed("redis://example").has_password);
}

TEST(RedisUrl, ReadsTlsLikeTcp) {
  const RedisUrl url = parsed("rediss://app:secret@redis.example:7000/3");
  EXPECT_TRUE(url.is_tls);
  EXPECT_EQ(url.host, "redis.example");
  EXPECT_EQ(url.port, "7000");
  EXPECT_EQ(url.db, 3);
  EXPECT_EQ(url.redacted(), "rediss://app:***@redis.example:7000/3");
  EXPECT_FALSE(parsed("redis://redis.example").is_tls);
}

TEST(RedisUrl, DecodesPercentEscapesOfUserAndPassword) {
  const RedisUrl url = parsed("redis://a%40b:p%2Fw%3A%25d@example");
  EXPECT_EQ(url.user, "a@b");
  EXPECT_EQ(url.password, "p/w:%d");
}

TEST(RedisUrl, TakesRawColonsAndAtSignsInAPassword) {
  const RedisUrl url = parsed("redis://app:a:b@c@example:7000");
  EXPECT_EQ(url.password, "a:b@c");
  EXPECT_EQ(url.host, "example");
}

TEST(RedisUrl, ReadsIpv6AddressesInBrackets) {
  EXPECT_EQ(parsed("redis://[::1]:7000").host, "::1");
  EXPECT_EQ(parsed("redis://[::1]:7000").port, "7000");
  EXPECT_EQ(parsed("redis://[::1]/2").port, "6379");
  EXPECT_EQ(parsed("redis://[::1]:7000").redacted(), "redis://[::1]:7000");
}

TEST(RedisUrl, ReadsUnixSockets) {
  EXPECT_EQ(parsed("unix:///run/redis.sock").path, "/run/redis.sock");
  EXPECT_EQ(parsed("unix:///run/redis.sock?db=2").db, 2);
  EXPECT_EQ(parsed("unix:///run/a@b.sock").path, "/run/a@b.sock");
  const RedisUrl url = parsed("unix://app:secret@/run/redis.sock");
  EXPECT_EQ(url.path, "/run/redis.sock");
  EXPECT_EQ(url.user, "app");
  EXPECT_EQ(url.password, "secret");
}

TEST(RedisUrl, HidesThePasswordWhenRedacted) {
  EXPECT_EQ(parsed("redis://app:secret@example:7000/3").redacted(), "redis://app:***@example:7000/3");
  EXPECT_EQ(parsed("redis://:secret@example").redacted(), "redis://:***@example:6379");
  EXPECT_EQ(parsed("unix://:secret@/run/s?db=1").redacted(), "unix://:***@/run/s?db=1");
  EXPECT_EQ(parsed("redis://app@example").redacted(), "redis://app:***@example:6379");
  EXPECT_EQ(parsed("redis://example").redacted(), "redis://example:6379");
}

TEST(RedisUrl, RefusesWhatItDoesNotUnderstandInOneLineWithoutThePassword) {
  for (const char* text : {"",
                           "example:6379",
                           "http://:secret@example",
                           "rediss://:secret@example:0",
                           "redis://:secret@exa mple",
                           "redis://:secret@exa\nmple",
                           "redis://:@secret",
                           "redis://:secret@example:0",
                           "redis://:secret@example:65536",
                           "redis://:secret@example:12x",
                           "redis://:secret@example:-1",
                           "redis://:secret@example:6379/x",
                           "redis://:secret@example/1/2",
                           "redis://:secret@example/-1",
                           "redis://:secret@example?user=x",
                           "redis://:secret%4@example",
                           "redis://app:secret/x@example",
                           "redis://:secret@::1",
                           "redis://:secret@[::1",
                           "redis://:secret@[::1]7000",
                           "redis://:secret@[]:7000",
                           "unix://",
                           "unix://:secret@",
                           "unix:///run/redis.sock?name=secret"}) {
    const Result<RedisUrl> url = parse_redis_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_THAT(url.error().message, Not(HasSubstr("secret"))) << text;
    EXPECT_THAT(url.error().message, HasSubstr("edis")) << text;
    EXPECT_EQ(url.error().message.find('\n'), std::string::npos);
  }
  EXPECT_FALSE(parse_redis_url("redis://" + std::string(256, 'x')));
  EXPECT_FALSE(parse_redis_url("unix:///" + std::string(107, 'x')));
}

}  // namespace
}  // namespace weir
