#include "publishers/delivery/target.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(Target, ReadsARedisUrl) {
  const auto target = parse_target("redis://ann:p%40ss%3A@redis.local:6380/2");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->kind, Target::Kind::kRedis);
  EXPECT_EQ(target->redis.host, "redis.local");
  EXPECT_EQ(target->redis.port, "6380");
  EXPECT_EQ(target->redis.user, "ann");
  EXPECT_EQ(target->redis.password, "p@ss:");
  EXPECT_FALSE(target->redis.is_tls);
  EXPECT_TRUE(parse_target("rediss://redis.local")->redis.is_tls);
}

TEST(Target, HasDefaultPorts) {
  EXPECT_EQ(parse_target("redis://localhost")->redis.port, "6379");
  EXPECT_EQ(parse_target("http://localhost")->port, 80);
}

TEST(Target, ReadsAPasswordWithoutAUser) {
  const auto target = parse_target("redis://:secret@localhost");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->redis.user, "");
  EXPECT_EQ(target->redis.password, "secret");
}

TEST(Target, ReadsAUnixSocket) {
  const auto target = parse_target("unix://:secret@/run/redis.sock?db=3");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->redis.path, "/run/redis.sock");
  EXPECT_EQ(target->redis.password, "secret");
}

TEST(Target, ReadsAGatewayWithABase) {
  const auto target = parse_target("http://[::1]:8080/weir/");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->kind, Target::Kind::kHttp);
  EXPECT_EQ(target->host, "::1");
  EXPECT_EQ(target->port, 8080);
  EXPECT_EQ(target->path, "/weir");
}

TEST(Target, IsShownWithoutItsPassword) {
  EXPECT_EQ(parse_target("redis://ann:secret@localhost/1")->redacted(), "redis://ann:***@localhost:6379/1");
  EXPECT_EQ(parse_target("unix://:secret@/run/redis.sock")->redacted(), "unix://:***@/run/redis.sock");
  EXPECT_EQ(parse_target("http://ann:secret@[::1]:8080/weir")->redacted(), "http://[::1]:8080/weir");
}

TEST(Target, RefusesWhatIsNoTargetWithoutRepeatingIt) {
  for (const char* text :
       {"", "localhost:6379", "ftp://secret@x", "redis://secret:0", "redis://secret:65536",
        "redis://secret:6379x", "redis://secret/notanumber", "redis://a%zz:secret@x", "redis://[::1:6379",
        "unix://", "unix://:secret@", "http://", "http://secret:http", "http://secret/a b",
        "http://secret/?q", "http://sec ret", "https://secret", "rediss://secret:0"}) {
    const auto target = parse_target(text);
    ASSERT_FALSE(target) << text;
    EXPECT_EQ(target.error().message.find("secret"), std::string::npos) << text;
    EXPECT_EQ(target.error().message.find('\n'), std::string::npos) << text;
  }
}

TEST(Target, RefusesAUnixPathThatNoSocketCanHave) {
  EXPECT_TRUE(parse_target("unix:///" + std::string(106, 'a')));
  EXPECT_FALSE(parse_target("unix:///" + std::string(107, 'a')));
}

}  // namespace
}  // namespace weir
