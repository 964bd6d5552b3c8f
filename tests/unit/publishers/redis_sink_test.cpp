#include "publishers/common/redis_sink.h"

#include <gtest/gtest.h>

#include <thread>

#include "publishers/common/stop.h"
#include "publishers/common/target.h"
#include "tests/support/redis_server.h"

namespace weir {
namespace {

using std::chrono::milliseconds;

RedisServer::Options with_password(const std::string& password) {
  RedisServer::Options options;
  options.password = password;
  return options;
}

class RedisSinkTest : public ::testing::Test {
 protected:
  RedisSink connect(const std::string& url, milliseconds timeout = milliseconds(30'000)) {
    return RedisSink(*parse_target(url), {.redis_prefix = "app:", .timeout = timeout});
  }
  BatchResult publish(Sink& sink, std::size_t count = 1) {
    const std::vector<std::string> payloads(count, R"({"msg":"x"})");
    return sink.publish("news", payloads, stop_.get_token());
  }
  // How many PUBLISH commands the server has carried out.
  static std::string published(const RedisServer& redis) {
    const std::string stats = redis.command({"INFO", "commandstats"});
    const auto at = stats.find("cmdstat_publish:calls=");
    return at == std::string::npos ? "0" : stats.substr(at + 22, stats.find(',', at) - at - 22);
  }

  std::stop_source stop_;
};

TEST_F(RedisSinkTest, ConfirmsEachMessageOfABatch) {
  const RedisServer redis;
  auto sink = connect(redis.url());
  const auto result = publish(sink, 1'000);
  EXPECT_EQ(result.outcome, Outcome::kPublished);
  EXPECT_EQ(result.confirmed, 1'000U);
  EXPECT_EQ(published(redis), "1000");
}

TEST_F(RedisSinkTest, SendsABatchThatIsLargerThanTheSocketsBuffers) {
  const RedisServer redis;
  auto sink = connect(redis.url());
  const std::vector<std::string> payloads(16, std::string(1 << 20, 'x'));
  EXPECT_EQ(sink.publish("news", payloads, {}).confirmed, 16U);
}

TEST_F(RedisSinkTest, LogsInWithAPasswordAlone) {
  const RedisServer redis(with_password("secret"));
  auto sink = connect(redis.url());
  EXPECT_EQ(publish(sink).outcome, Outcome::kPublished);
}

TEST_F(RedisSinkTest, LogsInAsAUser) {
  const RedisServer redis;
  redis.command({"ACL", "SETUSER", "ann", "on", ">sec:ret", "&app:*", "+publish", "+ping"});
  auto sink = connect("redis://ann:sec%3Aret@127.0.0.1:" + std::to_string(redis.port()));
  EXPECT_EQ(publish(sink).outcome, Outcome::kPublished);
}

TEST_F(RedisSinkTest, IsRefusedWithAWrongPasswordAndDoesNotPrintIt) {
  const RedisServer redis(with_password("secret"));
  auto sink = connect("redis://:guessed@127.0.0.1:" + std::to_string(redis.port()));
  const auto result = publish(sink);
  EXPECT_EQ(result.outcome, Outcome::kRefused);
  EXPECT_EQ(result.confirmed + result.unknown, 0U);
  EXPECT_EQ(result.error.find("guessed"), std::string::npos);
}

TEST_F(RedisSinkTest, IsRefusedWithoutPermissionForTheChannel) {
  const RedisServer redis;
  redis.command({"ACL", "SETUSER", "ann", "on", ">secret", "&other:*", "+publish", "+ping"});
  auto sink = connect("redis://ann:secret@127.0.0.1:" + std::to_string(redis.port()));
  const auto result = publish(sink, 3);
  EXPECT_EQ(result.outcome, Outcome::kRefused);
  EXPECT_EQ(result.confirmed, 0U);
  EXPECT_NE(result.error.find("NOPERM"), std::string::npos);
}

TEST_F(RedisSinkTest, SpeaksToAUnixSocket) {
  RedisServer::Options options;
  options.has_unix_socket = true;
  const RedisServer redis(options);
  auto sink = connect(redis.unix_url());
  EXPECT_EQ(publish(sink).outcome, Outcome::kPublished);
  EXPECT_EQ(connect("unix:///nowhere/at/all").publish("news", std::vector<std::string>{"x"}, {}).outcome,
            Outcome::kFailed);
}

TEST_F(RedisSinkTest, FailsForCertainWhileNobodyListens) {
  RedisServer::Options options;
  options.is_started = false;
  RedisServer redis(options);
  auto sink = connect(redis.url());
  const auto result = publish(sink, 3);
  EXPECT_EQ(result.outcome, Outcome::kFailed);
  EXPECT_EQ(result.unknown, 0U);
  redis.start();
  EXPECT_EQ(publish(sink, 3).confirmed, 3U);
}

TEST_F(RedisSinkTest, NoticesBeforeSendingThatTheConnectionWasClosed) {
  RedisServer redis;
  auto sink = connect(redis.url());
  EXPECT_EQ(publish(sink).outcome, Outcome::kPublished);
  redis.kill();
  const auto lost = publish(sink);
  EXPECT_EQ(lost.outcome, Outcome::kFailed);
  EXPECT_EQ(lost.unknown, 0U);
  redis.start();
  EXPECT_EQ(publish(sink).outcome, Outcome::kPublished);
}

TEST_F(RedisSinkTest, DoesNotKnowWhatBecameOfMessagesThatARedisThatHangsHasNotAnswered) {
  RedisServer redis;
  auto sink = connect(redis.url(), milliseconds(300));
  EXPECT_EQ(publish(sink).outcome, Outcome::kPublished);
  redis.pause();
  const auto hung = publish(sink, 3);
  EXPECT_EQ(hung.outcome, Outcome::kUnknown);
  EXPECT_EQ(hung.unknown, 3U);
  // It still accepts connections, but a connection counts only after its first reply: now nothing is sent.
  const auto again = publish(sink, 3);
  EXPECT_EQ(again.outcome, Outcome::kFailed);
  EXPECT_EQ(again.unknown, 0U);
  redis.resume();
}

TEST_F(RedisSinkTest, KnowsThatWhatWasNotWhollySentWasNotPublished) {
  RedisServer redis;
  auto sink = connect(redis.url(), milliseconds(500));
  EXPECT_EQ(publish(sink).outcome, Outcome::kPublished);
  redis.pause();
  const std::vector<std::string> payloads(64, std::string(1 << 20, 'x'));
  const auto result = sink.publish("news", payloads, {});
  EXPECT_EQ(result.confirmed, 0U);
  EXPECT_LT(result.unknown, 64U);
  redis.resume();
}

TEST_F(RedisSinkTest, AStopEndsAWaitForAnAnswer) {
  RedisServer redis;
  auto sink = connect(redis.url(), std::chrono::hours(1));
  EXPECT_EQ(publish(sink).outcome, Outcome::kPublished);
  redis.pause();
  const std::jthread other([&] { stop_.request_stop(); });
  EXPECT_EQ(publish(sink).outcome, Outcome::kStopped);
  redis.resume();
}

TEST_F(RedisSinkTest, IsUsableWithAnotherStopAfterOne) {
  const RedisServer redis;
  auto sink = connect(redis.url());
  stop_.request_stop();
  EXPECT_EQ(publish(sink).outcome, Outcome::kStopped);
  EXPECT_EQ(sink.publish("news", std::vector<std::string>{"x"}, {}).outcome, Outcome::kPublished);
}

TEST_F(RedisSinkTest, PublishesTheEndAsAnEnvelope) {
  const RedisServer redis;
  auto sink = connect(redis.url());
  EXPECT_EQ(sink.publish_end("news", {}).outcome, Outcome::kPublished);
  EXPECT_EQ(published(redis), "1");
}

}  // namespace
}  // namespace weir
