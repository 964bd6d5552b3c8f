#include "publishers/delivery/redis_sink.h"

#include <gtest/gtest.h>
#include <hiredis/hiredis.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <memory>
#include <sstream>
#include <thread>

#include "process/stop.h"
#include "publishers/delivery/target.h"
#include "redis/publish_function.h"
#include "tests/support/certificates.h"
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
    return sink.publish("news", payloads, stop_.get_token(), {});
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
  EXPECT_EQ(sink.publish("news", payloads, {}, {}).confirmed, 16U);
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

TEST_F(RedisSinkTest, AUserThatMayNotPingIsAliveNoneTheLess) {
  const RedisServer redis;
  redis.command({"ACL", "SETUSER", "ann", "on", ">secret", "&app:*", "-@all", "+publish"});
  auto sink = connect("redis://ann:secret@127.0.0.1:" + std::to_string(redis.port()));
  EXPECT_EQ(publish(sink).outcome, Outcome::kPublished);
}

TEST_F(RedisSinkTest, SelectsTheDatabaseOfTheUrlAsTheGatewayDoes) {
  const RedisServer redis;
  auto sink = connect(redis.url() + "/3");
  EXPECT_EQ(publish(sink).outcome, Outcome::kPublished);
  auto beyond = connect(redis.url() + "/60000");
  EXPECT_EQ(publish(beyond).outcome, Outcome::kRefused);
}

// A port of 127.0.0.1 that is listened on.
class Listener {
 public:
  Listener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(fd_, 1), 0);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~Listener() { ::close(fd_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  int fd() const { return fd_; }
  std::uint16_t port() const { return port_; }

 private:
  const int fd_;
  std::uint16_t port_ = 0;
};

// Gives back what it gets, as a connection to oneself does.
class Echo {
 public:
  Echo() {
    thread_ = std::thread([this] {
      const int socket = ::accept(listener_.fd(), nullptr, nullptr);
      char bytes[1'024];
      for (ssize_t n = 0; (n = ::read(socket, bytes, sizeof bytes)) > 0;) {
        if (::send(socket, bytes, static_cast<std::size_t>(n), MSG_NOSIGNAL) != n) break;
      }
      ::close(socket);
    });
  }
  ~Echo() { thread_.join(); }
  std::string url() const { return "redis://127.0.0.1:" + std::to_string(listener_.port()); }

 private:
  Listener listener_;
  std::thread thread_;
};

TEST_F(RedisSinkTest, TakesItsOwnWordsForNoConfirmation) {
  const Echo echo;
  auto sink = connect(echo.url());
  const auto result = publish(sink);
  EXPECT_EQ(result.outcome, Outcome::kFailed);
  EXPECT_EQ(result.confirmed, 0U);
  EXPECT_NE(result.error.find("does not answer as Redis does"), std::string::npos) << result.error;
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
  EXPECT_EQ(connect("unix:///nowhere/at/all").publish("news", std::vector<std::string>{"x"}, {}, {}).outcome,
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
  const auto result = sink.publish("news", payloads, {}, {});
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
  EXPECT_EQ(sink.publish("news", std::vector<std::string>{"x"}, {}, {}).outcome, Outcome::kPublished);
}

TEST_F(RedisSinkTest, AfterARestartOfRedisWaitsForTheGatewayThatWasSubscribed) {
  RedisServer redis;
  auto sink = connect(redis.url());
  const auto subscribe = [&] {
    std::unique_ptr<redisContext, void (*)(redisContext*)> gateway(redisConnect("127.0.0.1", redis.port()),
                                                                   redisFree);
    freeReplyObject(redisCommand(gateway.get(), "SUBSCRIBE app:news"));
    return gateway;
  };
  auto gateway = subscribe();
  EXPECT_EQ(publish(sink).outcome, Outcome::kPublished);
  redis.kill();
  EXPECT_EQ(publish(sink).outcome, Outcome::kFailed);
  redis.start();
  std::jthread publishing([&] { EXPECT_EQ(publish(sink).outcome, Outcome::kPublished); });
  while (redis.command({"INFO", "commandstats"}).find("cmdstat_pubsub") == std::string::npos) {
  }
  EXPECT_EQ(published(redis), "0");
  gateway = subscribe();
  void* reply = nullptr;
  ASSERT_EQ(redisGetReply(gateway.get(), &reply), REDIS_OK);
  EXPECT_STREQ(static_cast<redisReply*>(reply)->element[2]->str, R"({"msg":"x"})");
  freeReplyObject(reply);
}

TEST_F(RedisSinkTest, WhoMayNotAskForSubscribersGoesOnWithout) {
  RedisServer redis;
  const RedisServer::Words user{"ACL", "SETUSER", "ann", "on", "nopass", "&app:*", "+publish", "+ping"};
  redis.command(user);
  auto sink = connect("redis://ann:x@127.0.0.1:" + std::to_string(redis.port()));
  std::unique_ptr<redisContext, void (*)(redisContext*)> gateway(redisConnect("127.0.0.1", redis.port()),
                                                                 redisFree);
  freeReplyObject(redisCommand(gateway.get(), "SUBSCRIBE app:news"));
  EXPECT_EQ(publish(sink).outcome, Outcome::kPublished);
  redis.kill();
  EXPECT_EQ(publish(sink).outcome, Outcome::kFailed);
  redis.start();
  redis.command(user);
  EXPECT_EQ(publish(sink).outcome, Outcome::kPublished);
}

// How often the server was asked for the subscribers of a channel.
std::size_t questions(const RedisServer& redis) {
  const std::string stats = redis.command({"INFO", "commandstats"});
  const std::string name = "cmdstat_pubsub|numsub:calls=";
  const auto at = stats.find(name);
  return at == std::string::npos ? 0 : std::stoul(stats.substr(at + name.size()));
}

std::unique_ptr<redisContext, void (*)(redisContext*)> subscribe(const RedisServer& redis,
                                                                 const char* command) {
  std::unique_ptr<redisContext, void (*)(redisContext*)> gateway(redisConnect("127.0.0.1", redis.port()),
                                                                 redisFree);
  freeReplyObject(redisCommand(gateway.get(), command));
  return gateway;
}

TEST_F(RedisSinkTest, WaitsForTheSubscribersOfEachChannelAndOnlyOfThoseThatHadSome) {
  RedisServer redis;
  auto sink = connect(redis.url());
  auto gateway = subscribe(redis, "SUBSCRIBE app:news app:other");
  const std::vector<std::string> payload{"x"};
  for (const char* channel : {"news", "nobody", "other"}) {
    EXPECT_EQ(sink.publish(channel, payload, {}, {}).outcome, Outcome::kPublished);
  }
  redis.kill();
  EXPECT_EQ(sink.publish("news", payload, {}, {}).outcome, Outcome::kFailed);
  redis.start();
  EXPECT_EQ(sink.publish("nobody", payload, {}, {}).outcome, Outcome::kPublished);
  EXPECT_EQ(questions(redis), 0U);
  gateway = subscribe(redis, "SUBSCRIBE app:news app:other");
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(sink.publish("news", payload, {}, {}).outcome, Outcome::kPublished);
    EXPECT_EQ(questions(redis), 1U) << "Once on a connection.";
  }
  EXPECT_EQ(sink.publish("other", payload, {}, {}).outcome, Outcome::kPublished);
  EXPECT_EQ(questions(redis), 2U);
}

TEST_F(RedisSinkTest, WaitsForTheSubscribersOfAllChannelsTogetherNoLongerThanForOne) {
  RedisServer redis;
  RedisSink sink(
      *parse_target(redis.url()),
      {.redis_prefix = "app:", .timeout = milliseconds(30'000), .subscribers_wait = milliseconds(300)});
  const std::vector<std::string> payload{"x"};
  {
    const auto gateway = subscribe(redis, "SUBSCRIBE app:news app:other");
    EXPECT_EQ(sink.publish("news", payload, {}, {}).outcome, Outcome::kPublished);
    EXPECT_EQ(sink.publish("other", payload, {}, {}).outcome, Outcome::kPublished);
  }
  redis.kill();
  EXPECT_EQ(sink.publish("news", payload, {}, {}).outcome, Outcome::kFailed);
  redis.start();
  EXPECT_EQ(sink.publish("news", payload, {}, {}).outcome, Outcome::kPublished);
  const auto asked = questions(redis);
  EXPECT_GT(asked, 0U);
  EXPECT_EQ(sink.publish("other", payload, {}, {}).outcome, Outcome::kPublished);
  EXPECT_EQ(questions(redis), asked);
}

TEST_F(RedisSinkTest, AMessageThatRedisFindsTooLargeStopsNeitherThoseBeforeItNorThoseBehindIt) {
  const RedisServer redis;
  redis.command({"CONFIG", "SET", "proto-max-bulk-len", "1048576"});
  auto sink = connect(redis.url());
  for (const std::size_t size : {std::size_t{1'048'577}, std::size_t{16} << 20}) {
    const std::vector<std::string> payloads{"a", "b", std::string(size, 'x'), "d"};
    const auto result = sink.publish("news", payloads, {}, {});
    EXPECT_EQ(result.outcome, Outcome::kTooLarge) << result.error;
    EXPECT_EQ(result.confirmed, 2U);
    EXPECT_EQ(result.unknown, 0U);
    EXPECT_NE(result.error.find("invalid bulk length"), std::string::npos) << result.error;
    EXPECT_EQ(publish(sink).outcome, Outcome::kPublished);
  }
  EXPECT_EQ(published(redis), "6");
}

TEST_F(RedisSinkTest, AMessageBeyondEveryLimitIsNotSent) {
  const RedisServer redis;
  RedisSink sink(*parse_target(redis.url()),
                 {.redis_prefix = "", .timeout = milliseconds(30'000), .message_bytes_max = 10});
  const std::vector<std::string> payloads{std::string(10, 'a'), std::string(11, 'b'), "c"};
  const auto result = sink.publish("news", payloads, {}, {});
  EXPECT_EQ(result.outcome, Outcome::kTooLarge);
  EXPECT_EQ(result.confirmed, 1U);
  EXPECT_NE(result.error.find("11 bytes"), std::string::npos) << result.error;
  const auto first = sink.publish("news", std::span<const std::string>(payloads).subspan(1), {}, {});
  EXPECT_EQ(first.outcome, Outcome::kTooLarge);
  EXPECT_EQ(first.confirmed, 0U);
  EXPECT_EQ(sink.publish("news", std::span<const std::string>(payloads).subspan(2), {}, {}).outcome,
            Outcome::kPublished);
  EXPECT_EQ(published(redis), "2");
}

// A script that never ends holds Redis up: it answers BUSY to whatever else it is asked.
TEST_F(RedisSinkTest, WhileRedisIsBusyNothingIsUnknownAndLaterAllOfItIsPublishedOnce) {
  const RedisServer redis;
  auto sink = connect(redis.url());
  EXPECT_EQ(publish(sink).outcome, Outcome::kPublished);
  redis.command({"CONFIG", "SET", "busy-reply-threshold", "1"});
  std::thread script([&] { redis.command({"EVAL", "while true do end", "0"}); });
  while (!redis.command({"PING"}).starts_with("-BUSY")) {
  }
  for (int attempt = 0; attempt < 2; ++attempt) {  // The second one can't log in.
    const auto busy = publish(sink, 1'000);
    EXPECT_EQ(busy.outcome, Outcome::kFailed);
    EXPECT_EQ(busy.confirmed + busy.unknown, 0U);
    EXPECT_NE(busy.error.find("BUSY"), std::string::npos) << busy.error;
  }
  redis.command({"SCRIPT", "KILL"});
  script.join();
  EXPECT_EQ(publish(sink, 1'000).confirmed, 1'000U);
  EXPECT_NE(redis.command({"INFO", "commandstats"}).find("cmdstat_publish:calls=1001,"), std::string::npos);
}

// Says PONG, and then what it is told to say to each PUBLISH.
class ScriptedRedis {
 public:
  explicit ScriptedRedis(std::vector<std::string> answers) {
    thread_ = std::thread([this, answers = std::move(answers)] {
      const int socket = ::accept(listener_.fd(), nullptr, nullptr);
      std::string input;
      std::size_t next = 0;
      for (char bytes[4'096];;) {
        const auto n = ::read(socket, bytes, sizeof bytes);
        if (n <= 0) break;
        input.append(bytes, static_cast<std::size_t>(n));
        std::string output;
        const auto take = [&](const std::string& word) {
          const auto at = input.find(word);
          if (at == std::string::npos) return false;
          input.erase(0, at + word.size());
          return true;
        };
        while (take("PING\r\n")) output += "+PONG\r\n";
        while (next < answers.size() && (take("PUBLISH\r\n") || take("weir_publish\r\n")))
          output += answers[next++];
        if (::send(socket, output.data(), output.size(), MSG_NOSIGNAL) < 0) break;
        if (next == answers.size()) ::shutdown(socket, SHUT_WR);
      }
      ::close(socket);
    });
  }
  ~ScriptedRedis() { thread_.join(); }
  std::string url() const { return "redis://127.0.0.1:" + std::to_string(listener_.port()); }

 private:
  Listener listener_;
  std::thread thread_;
};

TEST_F(RedisSinkTest, WhatRedisTookBehindAPassingRefusalCountsAsUnknown) {
  const ScriptedRedis redis({":1\r\n", "-BUSY script\r\n", ":1\r\n", "-BUSY script\r\n"});
  auto sink = connect(redis.url());
  const auto result = publish(sink, 4);
  EXPECT_EQ(result.outcome, Outcome::kFailed);
  EXPECT_EQ(result.confirmed, 1U);
  EXPECT_EQ(result.unknown, 2U) << "The refused one, and the one behind it.";
}

TEST_F(RedisSinkTest, ARefusalThatPassesFailsForCertainAndAnyOtherIsARefusal) {
  const std::vector<std::pair<std::string, Outcome>> cases{
      {"BUSY Redis is busy", Outcome::kFailed},          {"LOADING Redis is loading", Outcome::kFailed},
      {"READONLY You can't write", Outcome::kFailed},    {"OOM command not allowed", Outcome::kFailed},
      {"MASTERDOWN Link is down", Outcome::kFailed},     {"NOREPLICAS Not enough", Outcome::kFailed},
      {"CLUSTERDOWN The cluster", Outcome::kFailed},     {"TRYAGAIN Multiple keys", Outcome::kFailed},
      {"MISCONF Redis is configured", Outcome::kFailed}, {"NOPERM this user", Outcome::kRefused},
      {"ERR unknown command", Outcome::kRefused}};
  for (const auto& [error, outcome] : cases) {
    const std::string refusal = "-" + error + "\r\n";
    const ScriptedRedis redis({":1\r\n", refusal, refusal});
    auto sink = connect(redis.url());
    const auto result = publish(sink, 3);
    EXPECT_EQ(result.outcome, outcome) << error;
    EXPECT_EQ(result.confirmed, 1U) << error;
    EXPECT_EQ(result.unknown, 0U) << error;
    EXPECT_NE(result.error.find(error), std::string::npos) << result.error;
  }
}

TEST_F(RedisSinkTest, WhatWasNotAnsweredBehindAPassingRefusalCountsAsUnknown) {
  const ScriptedRedis redis({":1\r\n", "-BUSY script\r\n"});
  auto sink = connect(redis.url());
  const auto result = publish(sink, 4);
  EXPECT_EQ(result.outcome, Outcome::kFailed);
  EXPECT_EQ(result.confirmed, 1U);
  EXPECT_EQ(result.unknown, 3U);
}

TEST_F(RedisSinkTest, TakesNothingButANumberForAConfirmation) {
  for (const char* answer : {"+OK\r\n", ":\r\n", ":1x\r\n", "$2\r\nhi\r\n"}) {
    const ScriptedRedis redis({answer});
    auto sink = connect(redis.url());
    const auto result = publish(sink, 2);
    EXPECT_EQ(result.outcome, Outcome::kUnknown) << answer;
    EXPECT_EQ(result.confirmed + result.unknown, 2U) << answer;
  }
}

TEST_F(RedisSinkTest, PublishesTheEndAsAnEnvelope) {
  const RedisServer redis;
  auto sink = connect(redis.url());
  EXPECT_EQ(sink.publish_end("news", {}, {}).outcome, Outcome::kPublished);
  EXPECT_EQ(published(redis), "1");
}

// --- Durable channels

class DurableSinkTest : public RedisSinkTest {
 protected:
  static RedisSink connect(const RedisServer& redis) { return connect(redis.url(), {}); }
  static RedisSink connect(const std::string& url, DurableLimits limits, std::size_t bytes_max = 512 << 20) {
    return RedisSink(*parse_target(url), {.redis_prefix = "app:",
                                          .durable = limits,
                                          .timeout = milliseconds(30'000),
                                          .message_bytes_max = bytes_max});
  }
  static void install(const RedisServer& redis) {
    EXPECT_EQ(redis.command({"FUNCTION", "LOAD", std::string(kPublishFunction)}), "weir");
  }
  BatchResult publish(Sink& sink, const std::vector<std::string>& payloads,
                      const std::vector<std::string>& keys = {}) {
    return sink.publish("news", Messages(payloads, keys), stop_.get_token(), {});
  }
  // The payloads in the stream, with a space in between.
  static std::string stream(const RedisServer& redis, const std::string& channel = "app:news") {
    std::string payloads;
    std::istringstream words(redis.command({"XRANGE", "weir:{" + channel + "}", "-", "+"}));
    for (std::string id, p, payload, t, time; words >> id >> p >> payload >> t >> time;) {
      payloads += (payloads.empty() ? "" : " ") + payload;
    }
    return payloads;
  }
  static std::string calls(const RedisServer& redis, const std::string& command) {
    const std::string stats = redis.command({"INFO", "commandstats"});
    const std::string before = "cmdstat_" + command + ":calls=";
    const auto at = stats.find(before);
    if (at == std::string::npos) return "0";
    return stats.substr(at + before.size(), stats.find(',', at) - at - before.size());
  }
};

TEST_F(DurableSinkTest, AppendsToTheStreamInOrderAndConfirmsEach) {
  const RedisServer redis;
  install(redis);
  auto sink = connect(redis);
  const auto result = publish(sink, {"a", "b", "c"});
  EXPECT_EQ(result.outcome, Outcome::kPublished);
  EXPECT_EQ(result.confirmed, 3U);
  EXPECT_EQ(publish(sink, {"d", "e"}).confirmed, 2U);
  EXPECT_EQ(stream(redis), "a b c d e");
  EXPECT_EQ(published(redis), "0");
}

TEST_F(DurableSinkTest, PassesTheLimitsOn) {
  const RedisServer redis;
  install(redis);
  auto sink = connect(redis.url(), {.messages = 10, .seconds = 100});
  EXPECT_EQ(publish(sink, std::vector<std::string>(500, "x")).confirmed, 500U);
  EXPECT_LE(std::stoi(redis.command({"XLEN", "weir:{app:news}"})), 200) << "Redis trims by nodes of 100.";
  EXPECT_LE(std::stoi(redis.command({"TTL", "weir:{app:news}"})), 100);
  auto for_ever = connect(redis.url(), {.messages = 10, .seconds = 0});
  EXPECT_EQ(for_ever.publish("other", std::vector<std::string>{"x"}, {}, {}).outcome, Outcome::kPublished);
  EXPECT_EQ(redis.command({"TTL", "weir:{app:other}"}), "-1");
}

TEST_F(DurableSinkTest, TheDefaultsAreThoseOfTheFunction) {
  const RedisServer redis;
  install(redis);
  auto sink = connect(redis);
  EXPECT_EQ(publish(sink, {"x"}).outcome, Outcome::kPublished);
  const std::string ours = redis.command({"TTL", "weir:{app:news}"});
  redis.command({"FCALL", "weir_publish", "1", "theirs", "x"});
  const std::string theirs = redis.command({"TTL", "weir:{theirs}"});
  EXPECT_LE(std::abs(std::stoi(ours) - std::stoi(theirs)), 10) << ours << " and " << theirs;
}

TEST_F(DurableSinkTest, AMessageWhoseKeyIsKnownIsConfirmedAndNotThereTwice) {
  const RedisServer redis;
  install(redis);
  auto sink = connect(redis);
  EXPECT_EQ(publish(sink, {"a", "b"}, {"k1", "k2"}).confirmed, 2U);
  auto again = connect(redis);
  const auto repeated = publish(again, {"a", "b", "c"}, {"k1", "k2", "k3"});
  EXPECT_EQ(repeated.confirmed, 3U);
  EXPECT_EQ(repeated.known, 2U);
  EXPECT_EQ(again.publish_end("news", "end", {}).outcome, Outcome::kPublished);
  EXPECT_EQ(again.publish_end("news", "end", {}).outcome, Outcome::kPublished);
  EXPECT_EQ(stream(redis), R"(a b c {"type":"weir:end"})");
}

// Where the function is installed while a batch is under way, its end must not be taken without its start.
TEST_F(DurableSinkTest, AMissingFunctionIsAFailureThatPassesAndOneMessageAsksForIt) {
  const RedisServer redis;
  auto sink = connect(redis);
  const auto missing = publish(sink, {"a", "b", "c"});
  EXPECT_EQ(missing.outcome, Outcome::kFailed);
  EXPECT_EQ(missing.confirmed + missing.unknown, 0U);
  EXPECT_NE(missing.error.find("weir-broker --print-function"), std::string::npos) << missing.error;
  EXPECT_EQ(calls(redis, "fcall"), "1");
  install(redis);
  EXPECT_EQ(publish(sink, {"a", "b", "c"}).confirmed, 3U);
  EXPECT_EQ(stream(redis), "a b c");
}

TEST_F(DurableSinkTest, ARedisWithoutFunctionsIsARefusalThatNamesTheVersion) {
  RedisServer::Options options;
  options.arguments = {"--rename-command", "FCALL", "old-fcall"};
  const RedisServer redis(options);
  auto sink = connect(redis);
  const auto result = publish(sink, {"secret"});
  EXPECT_EQ(result.outcome, Outcome::kRefused);
  EXPECT_NE(result.error.find("needs Redis 7"), std::string::npos) << result.error;
  EXPECT_EQ(result.error.find("secret"), std::string::npos) << result.error;
}

TEST_F(DurableSinkTest, AFullRedisHasTakenNothingAndMayTakeItLater) {
  const RedisServer redis;
  install(redis);
  redis.command({"CONFIG", "SET", "maxmemory", "1"});
  auto sink = connect(redis);
  const auto full = publish(sink, {"a", "b"});
  EXPECT_EQ(full.outcome, Outcome::kFailed);
  EXPECT_EQ(full.confirmed + full.unknown, 0U);
  redis.command({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_EQ(publish(sink, {"a", "b"}).confirmed, 2U);
  EXPECT_EQ(stream(redis), "a b");
}

TEST_F(DurableSinkTest, WithoutTheRightsItIsRefused) {
  const RedisServer redis;
  install(redis);
  redis.command({"ACL", "SETUSER", "ann", "on", ">secret", "&*", "~*", "+fcall", "+info", "+time"});
  auto sink = connect("redis://ann:secret@127.0.0.1:" + std::to_string(redis.port()), {});
  EXPECT_EQ(publish(sink, {"a"}).outcome, Outcome::kRefused);
}

// docs/publishers.md lists these.
TEST_F(DurableSinkTest, TheRightsOfTheDocumentationSuffice) {
  const RedisServer redis;
  install(redis);
  redis.command({"ACL",   "SETUSER", "ann",   "on",    ">secret",  "resetchannels", "~weir:{*}*", "&weir:{*}",
                 "-@all", "+fcall",  "+xadd", "+xdel", "+expire",  "+persist",      "+spublish",  "+time",
                 "+info", "+hget",   "+hset", "+hdel", "+hincrby", "+ping"});
  auto sink = connect("redis://ann:secret@127.0.0.1:" + std::to_string(redis.port()), {});
  const auto result = publish(sink, {"a", "b"}, {"k1", "k2"});
  EXPECT_EQ(result.confirmed, 2U) << result.error;
}

TEST_F(DurableSinkTest, AMessageThatTheFunctionDoesNotTakeIsTooLargeAndWhatIsBeforeItIsPublished) {
  const RedisServer redis;
  install(redis);
  auto sink = connect(redis);
  const std::string largest(kPublishPayloadBytesMax, 'x');
  const auto result = publish(sink, {"a", largest, largest + "x", "c"});
  EXPECT_EQ(result.outcome, Outcome::kTooLarge);
  EXPECT_EQ(result.confirmed, 2U) << result.error;
}

TEST_F(DurableSinkTest, WaitsForNoSubscribersAfterALoss) {
  const RedisServer redis;
  install(redis);
  auto sink = connect(redis);
  EXPECT_EQ(publish(sink, {"a"}).outcome, Outcome::kPublished);
  redis.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  EXPECT_EQ(publish(sink, {"b"}).outcome, Outcome::kFailed)
      << "The connection is gone before anything is sent.";
  EXPECT_EQ(publish(sink, {"b"}).outcome, Outcome::kPublished);
  EXPECT_EQ(calls(redis, "pubsub|numsub"), "0");
  EXPECT_EQ(stream(redis), "a b");
}

TEST_F(DurableSinkTest, TakesNothingButAnIdForAConfirmation) {
  for (const char* answer :
       {":1\r\n", "+OK\r\n", "$-1\r\n", "$5\r\nhello\r\n", "*2\r\n$3\r\n1-1\r\n:0\r\n"}) {
    const ScriptedRedis redis({answer});
    auto sink = connect(redis.url(), {});
    const auto result = publish(sink, {"x"});
    EXPECT_EQ(result.outcome, Outcome::kUnknown) << answer;
    EXPECT_EQ(result.confirmed, 0U) << answer;
  }
  const ScriptedRedis redis({"$3\r\n1-1\r\n"});
  auto sink = connect(redis.url(), {});
  EXPECT_EQ(publish(sink, {"x"}).confirmed, 1U);
}

TEST_F(DurableSinkTest, WithKeysItAlsoWantsToKnowWhetherTheyHadBeenUsed) {
  for (const char* answer : {":1\r\n", "$3\r\n1-1\r\n", "*1\r\n$3\r\n1-1\r\n", "*2\r\n$5\r\nhello\r\n:0\r\n",
                             "*2\r\n$3\r\n1-1\r\n:2\r\n"}) {
    const ScriptedRedis redis({answer});
    auto sink = connect(redis.url(), {});
    const auto result = publish(sink, {"x"}, {"k"});
    EXPECT_EQ(result.outcome, Outcome::kUnknown) << answer;
    EXPECT_EQ(result.confirmed, 0U) << answer;
  }
  const ScriptedRedis redis({"*2\r\n$3\r\n1-1\r\n:1\r\n"});
  auto sink = connect(redis.url(), {});
  EXPECT_EQ(publish(sink, {"x"}, {"k"}).known, 1U);
}

// --- Over TLS

class RedisSinkTlsTest : public RedisSinkTest {
 protected:
  RedisSinkTlsTest() { std::signal(SIGPIPE, SIG_IGN); }

  // A server that shows a certificate for `names`.
  RedisServer::Options options_for(const std::string& names, bool is_expired = false) {
    const auto shown = ca_.issue(names, is_expired);
    RedisServer::Options options;
    options.tls = RedisServer::Options::Tls{shown.certificate, shown.key, {}};
    return options;
  }
  RedisServer::Options good_options() { return options_for("DNS:localhost,IP:127.0.0.1"); }
  static RedisSink connect(const std::string& url, RedisFiles files,
                           milliseconds timeout = milliseconds(30'000)) {
    return RedisSink(*parse_target(url), {.redis_prefix = "app:", .redis_files = files, .timeout = timeout});
  }
  RedisSink connect(const RedisServer& redis) { return connect(redis.tls_url(), {.ca = ca_.file()}); }
  // Why nothing can be published there; it is known not to have been.
  std::string why_not(RedisSink sink) {
    const auto result = publish(sink, 3);
    EXPECT_EQ(result.outcome, Outcome::kFailed);
    EXPECT_EQ(result.confirmed + result.unknown, 0U);
    return result.error;
  }

  CertificateAuthority ca_;
};

TEST_F(RedisSinkTlsTest, ConfirmsEachMessageOfABatch) {
  const RedisServer redis(good_options());
  auto sink = connect(redis);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(publish(sink, 1'000).confirmed, 1'000U);
  EXPECT_EQ(published(redis), "3000");
}

TEST_F(RedisSinkTlsTest, SendsABatchThatIsLargerThanTheSocketsBuffers) {
  const RedisServer redis(good_options());
  auto sink = connect(redis);
  const std::vector<std::string> payloads(8, std::string(4 << 20, 'x'));
  EXPECT_EQ(sink.publish("news", payloads, {}, {}).confirmed, 8U);
}

TEST_F(RedisSinkTlsTest, RefusesACertificateThatIsNotForIt) {
  const RedisServer other(options_for("DNS:redis.example"));
  EXPECT_NE(why_not(connect(other)).find("IP address mismatch"), std::string::npos);
  EXPECT_NE(why_not(connect(other.tls_url("localhost"), {.ca = ca_.file()})).find("ostname mismatch"),
            std::string::npos);
  const RedisServer expired(options_for("IP:127.0.0.1", true));
  EXPECT_NE(why_not(connect(expired)).find("certificate has expired"), std::string::npos);
  const RedisServer good(good_options());
  EXPECT_NE(why_not(connect(good.tls_url(), {})).find("issuer certificate"), std::string::npos);
}

TEST_F(RedisSinkTlsTest, ShowsItsOwnCertificateWhereRedisAsksForOne) {
  for (const char* version : {"TLSv1.2", "TLSv1.3"}) {
    auto options = good_options();
    options.tls->client_ca = ca_.file();
    options.arguments = {"--tls-protocols", version};
    const RedisServer redis(options);
    const std::string why = why_not(connect(redis));
    EXPECT_TRUE(why.find("wants a client certificate") != std::string::npos ||
                why.find("handshake failure") != std::string::npos)
        << why;
    const auto ours = ca_.issue("DNS:weir");
    auto sink =
        connect(redis.tls_url(), {.ca = ca_.file(), .certificate = ours.certificate, .key = ours.key});
    EXPECT_EQ(publish(sink).outcome, Outcome::kPublished) << version;
  }
}

TEST_F(RedisSinkTlsTest, FailsWhereTheServerDoesNotSpeakTls) {
  const RedisServer redis;
  const std::string why = why_not(
      connect("rediss://127.0.0.1:" + std::to_string(redis.port()), {.ca = ca_.file()}, milliseconds(500)));
  EXPECT_TRUE(why.find("TLS") != std::string::npos || why.find("no answer") != std::string::npos) << why;
}

TEST_F(RedisSinkTlsTest, NoticesBeforeSendingThatTheConnectionWasClosed) {
  RedisServer redis(good_options());
  auto sink = connect(redis);
  EXPECT_EQ(publish(sink).outcome, Outcome::kPublished);
  redis.kill();
  const auto lost = publish(sink);
  EXPECT_EQ(lost.outcome, Outcome::kFailed);
  EXPECT_EQ(lost.unknown, 0U);
  redis.start();
  EXPECT_EQ(publish(sink).outcome, Outcome::kPublished);
}

TEST_F(RedisSinkTlsTest, DoesNotKnowWhatBecameOfMessagesThatARedisThatHangsHasNotAnswered) {
  RedisServer redis(good_options());
  auto sink = connect(redis.tls_url(), {.ca = ca_.file()}, milliseconds(500));
  EXPECT_EQ(publish(sink).outcome, Outcome::kPublished);
  redis.pause();
  const auto hung = publish(sink, 3);
  EXPECT_EQ(hung.outcome, Outcome::kUnknown);
  EXPECT_EQ(hung.unknown, 3U);
  // It still accepts, and hangs in the handshake.
  const auto again = publish(sink, 3);
  EXPECT_EQ(again.outcome, Outcome::kFailed);
  EXPECT_EQ(again.unknown, 0U);
  redis.resume();
}

TEST_F(RedisSinkTlsTest, ReadsThePasswordAgainForEachConnection) {
  RedisServer redis(good_options());
  redis.command({"ACL", "SETUSER", "ann", "on", ">new", "&app:*", "+publish", "+ping"});
  const std::string path = ::testing::TempDir() + "weir-sink-password-" + std::to_string(::getpid());
  std::ofstream(path) << "old\n";
  auto sink = connect("rediss://ann@127.0.0.1:" + std::to_string(redis.tls_port()),
                      {.password = path, .ca = ca_.file()});
  const auto refused = publish(sink);
  EXPECT_EQ(refused.outcome, Outcome::kRefused);
  EXPECT_NE(refused.error.find("WRONGPASS"), std::string::npos);
  std::ofstream(path) << "new\n";
  EXPECT_EQ(publish(sink).outcome, Outcome::kPublished);
  ::unlink(path.c_str());
}

}  // namespace
}  // namespace weir
