// The durable half of RedisBus against a real redis-server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <hiredis/hiredis.h>

#include <algorithm>
#include <deque>
#include <thread>

#include "broker/base/metrics.h"
#include "broker/bus/function_installer.h"
#include "broker/bus/job_queue.h"
#include "redis/publish_function.h"
#include "tests/support/redis_server.h"
#include "tests/unit/bus/redis_bus_fixture.h"
#include "tests/unit/bus/stream_observer.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Outcome = StreamReadResult::Outcome;

// A connection that answers questions one by one, each in its turn.
class RawRedis {
 public:
  explicit RawRedis(std::uint16_t port) : context_(redisConnect("127.0.0.1", port)) {}
  ~RawRedis() { redisFree(context_); }
  RawRedis(const RawRedis&) = delete;
  RawRedis& operator=(const RawRedis&) = delete;

  void ask(const std::vector<std::string_view>& words, FunctionInstaller::Answered done) {
    std::vector<const char*> starts;
    std::vector<std::size_t> sizes;
    for (const std::string_view word : words) {
      starts.push_back(word.data());
      sizes.push_back(word.size());
    }
    redisAppendCommandArgv(context_, static_cast<int>(words.size()), starts.data(), sizes.data());
    questions_.push_back(std::move(done));
  }
  void run() {
    while (!questions_.empty()) {
      void* reply = nullptr;
      ASSERT_EQ(redisGetReply(context_, &reply), REDIS_OK) << context_->errstr;
      const auto done = std::move(questions_.front());
      questions_.pop_front();
      done(static_cast<redisReply*>(reply));
      freeReplyObject(reply);
    }
  }

 private:
  redisContext* context_;
  std::deque<FunctionInstaller::Answered> questions_;
};

class RedisStreamsTest : public RedisBusTest {
 protected:
  // The bus speaks to streams_ to the end.
  void TearDown() override { bus_.reset(); }

  static RedisBusOptions stream_options(const std::string& url) {
    RedisBusOptions options = options_for(url);
    options.has_streams = options.installs_function = true;
    return options;
  }
  void start_streams(const RedisServer& server) { start_streams(stream_options(server.url())); }
  void start_streams(RedisBusOptions options) {
    bus_ = make_redis_bus(std::move(options), observer_);
    bus_->streams()->set_listener(streams_);
    bus_->start();
  }
  [[nodiscard]] bool subscribe_durable(const std::string& channel, int times = 1) {
    bus_->streams()->subscribe(channel, {});
    return streams_.wait_for_line("subscribed " + channel, times);
  }
  static DurableMessage message(const std::string& channel, const std::string& payload) {
    return {.channel = channel, .payload = payload, .messages_max = 1'000, .seconds_max = 600};
  }
  PublishResult publish(const std::string& channel, const std::string& payload) {
    return publish_and_wait(*bus_->streams(), message(channel, payload));
  }
  StreamReadResult read(StreamRead read) { return read_and_wait(*bus_->streams(), std::move(read)); }

  std::string metrics_page() const {
    Metrics metrics;
    metrics.add_source([this](MetricsPage& page) { bus_->collect(page); });
    return metrics.render();
  }
  // The id of the connection whose line in CLIENT LIST has `what` in it.
  static std::string client_with(const RedisServer& server, const std::string& what) {
    const std::string list = server.command({"CLIENT", "LIST"});
    const std::size_t at = list.find(what);
    if (at == std::string::npos) return "none";
    const std::size_t begin = list.rfind('\n', at) == std::string::npos ? 0 : list.rfind('\n', at) + 1;
    return list.substr(begin + 3, list.find(' ', begin) - begin - 3);
  }
  // The function with another description, which tells its version.
  static std::string renamed(const std::string& description) {
    std::string text(kPublishFunction);
    const std::string now = "description = 'weir " + std::to_string(kPublishFunctionVersion) + "'";
    return text.replace(text.find(now), now.size(), "description = '" + description + "'");
  }

  StreamObserver streams_;
  int readable_ = 1;
};

TEST_F(RedisStreamsTest, AnnouncesWhatItPublishesAndReadsItBack) {
  RedisServer server;
  start_streams(server);
  ASSERT_TRUE(subscribe_durable("news"));
  ASSERT_TRUE(wait_until_publishing());
  const PublishResult first = publish("news", "one");
  ASSERT_EQ(first.outcome, PublishOutcome::kDelivered) << first.detail;
  ASSERT_TRUE(first.id);
  EXPECT_EQ(first.id->n, 1u);
  ASSERT_EQ(publish("news", "two").outcome, PublishOutcome::kDelivered);
  ASSERT_TRUE(streams_.wait_for_announced("news", 2));
  const auto announced = streams_.announced("news");
  EXPECT_THAT(payloads_of(announced), ElementsAre("one", "two"));
  EXPECT_EQ(announced[0].id, first.id);

  const auto up = read({.channel = "news", .source = {}, .count = 10, .wants_end = true});
  ASSERT_EQ(up.outcome, Outcome::kRead) << up.why;
  EXPECT_THAT(payloads_of(up.entries), ElementsAre("one", "two"));
  EXPECT_EQ(up.entries[1].time, announced[1].time);
  EXPECT_EQ(up.end, announced[1].id);
  const auto down = read({.channel = "news", .source = {}, .is_downwards = true});
  EXPECT_THAT(payloads_of(down.entries), ElementsAre("two"));
}

// --- Announcements

TEST_F(RedisStreamsTest, TellsAChannelSubscribedOnlyWhenItsStreamCanBeReadAndAnnouncementsArrive) {
  RedisServer server;
  start_streams(server);
  ASSERT_TRUE(subscribe_durable("news"));
  EXPECT_THAT(streams_.lines(), ElementsAre("readable", "subscribed news"));
  EXPECT_EQ(server.command({"PUBSUB", "SHARDNUMSUB", "weir:{news}"}), "weir:{news} 1");
  EXPECT_EQ(server.subscribers("news"), "1");
  EXPECT_EQ(observer_.times_subscribed("news"), 0);
}

TEST_F(RedisStreamsTest, HearsPlainMessagesOfADurableChannel) {
  RedisServer server;
  RedisBusOptions options = stream_options(server.url());
  options.prefix = "app:";
  start_streams(options);
  ASSERT_TRUE(subscribe_durable("news"));
  ASSERT_TRUE(poll([&] { return server.subscribers("app:news") == "1"; }));
  server.command({"PUBLISH", "app:news", "plain"});
  ASSERT_TRUE(observer_.wait_for_messages(1));
  EXPECT_THAT(observer_.payloads("news"), ElementsAre("plain"));
  ASSERT_TRUE(wait_until_publishing());
  EXPECT_EQ(publish("news", "durable").outcome, PublishOutcome::kDelivered);
  ASSERT_TRUE(streams_.wait_for_announced("news", 1));
  EXPECT_EQ(server.command({"XLEN", "weir:{app:news}"}), "1");
}

TEST_F(RedisStreamsTest, TakesARecordedPatternForPlainMessagesAlone) {
  RedisServer server;
  bus_ = make_redis_bus(stream_options(server.url()), observer_);
  bus_->streams()->set_listener(streams_);
  bus_->record("n*");
  bus_->start();
  ASSERT_TRUE(observer_.wait_for_line("recording n*"));
  ASSERT_TRUE(subscribe_durable("news"));
  EXPECT_EQ(server.subscribers("news"), "0");
  server.command({"PUBLISH", "news", "plain"});
  ASSERT_TRUE(wait_until_publishing());
  EXPECT_EQ(publish("news", "durable").outcome, PublishOutcome::kDelivered);
  ASSERT_TRUE(streams_.wait_for_announced("news", 1));
  ASSERT_TRUE(observer_.wait_for_messages(1));
  EXPECT_THAT(observer_.payloads("news"), ElementsAre("plain"));
}

TEST_F(RedisStreamsTest, LeavesOutAndCountsWhatIsNoAnnouncement) {
  RedisServer server;
  start_streams(server);
  ASSERT_TRUE(subscribe_durable("news"));
  for (const char* text : {"", "x", "1-1", "1-1 ", "1-1 5", "01-1 5 x", "1-1 05 x", "1-1 -5 x", "1-1  x",
                           "1-1 99999999999999999999 x", "1 5 x"}) {
    EXPECT_EQ(server.command({"SPUBLISH", "weir:{news}", text}), "1") << text;
  }
  server.command({"SPUBLISH", "weir:{news}", "1-1 5 "});
  server.command({"SPUBLISH", "weir:{news}", "1-2 6 a b"});
  ASSERT_TRUE(streams_.wait_for_announced("news", 2));
  EXPECT_THAT(payloads_of(streams_.announced("news")), ElementsAre("", "a b"));
  EXPECT_EQ(streams_.announced("news")[1].time, 6u);
  EXPECT_THAT(metrics_page(), HasSubstr("weir_redis_announcements_invalid_total 11"));
}

TEST_F(RedisStreamsTest, TellsATooLargeEntryByItsIdLiveAndRead) {
  RedisServer server;
  RedisBusOptions options = stream_options(server.url());
  options.limits.message_bytes_max = 1'000;
  start_streams(options);
  ASSERT_TRUE(subscribe_durable("news"));
  // Just too large, so that the announcement is read; far too large, so that it is not.
  server.command({"FCALL", "weir_publish", "1", "news", std::string(1'001, 'a')});
  ASSERT_TRUE(streams_.wait_for_announced("news", 1));
  server.command({"FCALL", "weir_publish", "1", "news", std::string(2 << 20, 'b')});
  ASSERT_TRUE(streams_.wait_for_announced("news", 2));
  server.command({"FCALL", "weir_publish", "1", "news", "small"});
  ASSERT_TRUE(streams_.wait_for_announced("news", 3));
  const auto announced = streams_.announced("news");
  const auto all = read({.channel = "news", .source = {}, .count = 10, .wants_end = true});
  ASSERT_EQ(all.outcome, Outcome::kRead) << all.why;
  for (const auto& entries : {announced, all.entries}) {
    EXPECT_THAT(ordinals_of(entries), ElementsAre(1, 2, 3));
    EXPECT_THAT(payloads_of(entries), ElementsAre("", "", "small"));
    EXPECT_TRUE(entries[0].is_too_large && entries[1].is_too_large && !entries[2].is_too_large);
  }
  EXPECT_EQ(all.end, announced[2].id);
}

// --- Reading

TEST_F(RedisStreamsTest, KnowsTheEndOfAStreamWhoseEntriesWereTrimmedAndOfNone) {
  RedisServer server;
  start_streams(server);
  ASSERT_TRUE(streams_.wait_for_line("readable"));
  ASSERT_TRUE(wait_until_publishing());
  const PublishResult result = publish("news", "one");
  server.command({"XTRIM", "weir:{news}", "MAXLEN", "0"});
  const auto trimmed = read({.channel = "news", .source = {}, .count = 5, .wants_end = true});
  EXPECT_EQ(trimmed.outcome, Outcome::kRead) << trimmed.why;
  EXPECT_THAT(trimmed.entries, IsEmpty());
  EXPECT_EQ(trimmed.end, result.id);
  const auto none = read({.channel = "nothing", .source = {}, .count = 5, .wants_end = true});
  EXPECT_EQ(none.outcome, Outcome::kRead) << none.why;
  EXPECT_EQ(none.end, std::nullopt);
  EXPECT_EQ(read({.channel = "nothing", .source = {}, .count = 0}).outcome, Outcome::kRead);
}

TEST_F(RedisStreamsTest, ReadsRangesBothWaysInTheOrderOfTheCalls) {
  RedisServer server;
  start_streams(server);
  ASSERT_TRUE(streams_.wait_for_line("readable"));
  for (int i = 1; i <= 500; ++i) {
    server.command({"XADD", "weir:{news}", "7-" + std::to_string(i), "p", std::to_string(i), "t", "5"});
  }
  ReadResults results;
  for (std::uint64_t i = 1; i <= 500; ++i) {
    bus_->streams()->read({.channel = "news",
                           .source = {},
                           .first = {7, i},
                           .last = {7, i + 1},
                           .is_downwards = i % 2 == 0,
                           .count = 1},
                          results.collect());
  }
  const auto all = results.wait_for(500);
  ASSERT_EQ(all.size(), 500u);
  for (std::size_t i = 1; i < 500; ++i) {
    EXPECT_THAT(ordinals_of(all[i - 1].entries), ElementsAre(i % 2 == 0 ? i + 1 : i));
  }
  EXPECT_THAT(metrics_page(), HasSubstr("weir_redis_history_reads_total 500"));
  EXPECT_THAT(metrics_page(), HasSubstr("weir_redis_history_reads_waiting 0"));
}

TEST_F(RedisStreamsTest, IsRefusedAReadOfWhatIsNoStreamAndGoesOn) {
  RedisServer server;
  server.command({"SET", "weir:{text}", "x"});
  start_streams(server);
  ASSERT_TRUE(streams_.wait_for_line("readable"));
  const auto wrong = read({.channel = "text", .source = {}, .count = 1, .wants_end = true});
  EXPECT_EQ(wrong.outcome, Outcome::kRefused);
  EXPECT_THAT(wrong.why, HasSubstr("WRONGTYPE"));
  EXPECT_EQ(read({.channel = "news", .source = {}}).outcome, Outcome::kRead);
}

TEST_F(RedisStreamsTest, PastItsNumberOfReadsTheyAreAwayUntilItSaysReadableAgain) {
  RedisServer server;
  start_streams(server);
  ASSERT_TRUE(streams_.wait_for_line("readable"));
  server.pause();
  ReadResults results;
  for (std::size_t i = 0; i < kReadsWaitingMax + 3; ++i) {
    bus_->streams()->read({.channel = "news", .source = {}}, results.collect());
  }
  const auto refused = results.wait_for(3);
  for (const StreamReadResult& result : refused) {
    EXPECT_EQ(result.outcome, Outcome::kAway);
    EXPECT_EQ(result.why, "too many reads wait");
  }
  server.resume();
  EXPECT_TRUE(streams_.wait_for_line("readable", 2));
  EXPECT_EQ(results.wait_for(kReadsWaitingMax + 3).size(), kReadsWaitingMax + 3);
}

TEST_F(RedisStreamsTest, ALateAnswerToAReadClosesTheHistoryConnectionAlone) {
  RedisServer server;
  RedisBusOptions options = stream_options(server.url());
  options.publish_timeout = std::chrono::milliseconds(300);
  start_streams(options);
  ASSERT_TRUE(subscribe_durable("news"));
  server.pause();
  EXPECT_EQ(read({.channel = "news", .source = {}}).outcome, Outcome::kAway);
  ASSERT_TRUE(streams_.wait_for_line("unreadable"));
  EXPECT_THAT(streams_.lines(), ElementsAre("readable", "subscribed news", "lost news", "unreadable"));
  server.resume();
  EXPECT_TRUE(streams_.wait_for_line("subscribed news", 2));
  EXPECT_EQ(bus_->state().reconnects, 0u);
}

// --- Losses

TEST_F(RedisStreamsTest, ComesBackAfterRedisWasKilledWithWhatItKept) {
  RedisServer server({.arguments = {"--appendonly", "yes", "--appendfsync", "always"}});
  start_streams(server);
  ASSERT_TRUE(subscribe_durable("news"));
  ASSERT_TRUE(wait_until_publishing());
  const PublishResult before = publish("news", "before");
  server.kill();
  ASSERT_TRUE(streams_.wait_for_line("lost news"));
  ASSERT_TRUE(streams_.wait_for_line("unreadable"));
  EXPECT_EQ(read({.channel = "news", .source = {}}).outcome, Outcome::kAway);
  server.start();
  ASSERT_TRUE(streams_.wait_for_line("subscribed news", 2));
  ASSERT_TRUE(wait_until_publishing());
  const PublishResult after = publish("news", "after");
  ASSERT_TRUE(before.id && after.id) << before.detail << after.detail;
  EXPECT_GT(after.id->ms, before.id->ms);
  EXPECT_EQ(after.id->n, 2u);
  EXPECT_THAT(payloads_of(read({.channel = "news", .source = {}, .count = 9}).entries),
              ElementsAre("before", "after"));
}

TEST_F(RedisStreamsTest, TheLossOfOneConnectionIsALossOfTheChannelOnceEach) {
  RedisServer server;
  start_streams(server);
  ASSERT_TRUE(subscribe_durable("news"));
  ASSERT_TRUE(wait_until_publishing());
  server.command({"CLIENT", "KILL", "TYPE", "pubsub"});
  ASSERT_TRUE(streams_.wait_for_line("subscribed news", 2));
  EXPECT_THAT(streams_.lines(), ElementsAre("readable", "subscribed news", "lost news", "subscribed news"));
  // The connection that has read last.
  EXPECT_EQ(read({.channel = "news", .source = {}}).outcome, Outcome::kRead);
  EXPECT_EQ(server.command({"CLIENT", "KILL", "ID", client_with(server, "cmd=xrange")}), "1");
  ASSERT_TRUE(streams_.wait_for_line("subscribed news", 3));
  EXPECT_THAT(streams_.lines(), ElementsAre("readable", "subscribed news", "lost news", "subscribed news",
                                            "lost news", "unreadable", "readable", "subscribed news"));
  EXPECT_EQ(publish("news", "x").outcome, PublishOutcome::kDelivered);
  ASSERT_TRUE(streams_.wait_for_announced("news", 1));
}

TEST_F(RedisStreamsTest, HearsNothingAfterUnsubscribe) {
  RedisServer server;
  start_streams(server);
  ASSERT_TRUE(subscribe_durable("news"));
  bus_->streams()->unsubscribe("news");
  ASSERT_TRUE(subscribe_durable("other"));
  EXPECT_EQ(server.command({"PUBSUB", "SHARDCHANNELS"}), "weir:{other}");
  ASSERT_TRUE(poll([&] { return server.subscribers("news") == "0"; }));
  ASSERT_TRUE(poll([&] { return bus_->state().subscriptions_held == 1; }));
}

TEST_F(RedisStreamsTest, SubscribesManyChannelsAndAllOfThemAgainAfterALoss) {
  RedisServer server;
  start_streams(server);
  for (int i = 0; i < 5'000; ++i) bus_->streams()->subscribe("c" + std::to_string(i), {});
  const auto all_subscribed = [&](std::ptrdiff_t times) {
    return poll([&] {
      const auto lines = streams_.lines();
      return std::count_if(lines.begin(), lines.end(),
                           [](const auto& it) { return it.starts_with("subscribed "); }) >= times;
    });
  };
  ASSERT_TRUE(all_subscribed(5'000));
  server.command({"CLIENT", "KILL", "TYPE", "pubsub"});
  ASSERT_TRUE(all_subscribed(10'000));
  ASSERT_TRUE(wait_until_publishing());
  EXPECT_EQ(publish("c4999", "x").outcome, PublishOutcome::kDelivered);
  EXPECT_TRUE(streams_.wait_for_announced("c4999", 1));
}

// --- Rights

TEST_F(RedisStreamsTest, RefusesOnlyTheChannelThatTheAclForbids) {
  RedisServer server;
  server.command({"ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all", "resetchannels", "&weir:{a}",
                  "&weir:{c}", "&a", "&are-you-there"});
  start_streams(stream_options("redis://app:pw@127.0.0.1:" + std::to_string(server.port())));
  for (const char* channel : {"a", "b", "c"}) bus_->streams()->subscribe(channel, {});
  EXPECT_THAT(streams_.wait_for_line_beginning("refused b"), HasSubstr("NOPERM"));
  // Plain messages of c are forbidden, which is no reason to refuse it.
  EXPECT_TRUE(streams_.wait_for_line("subscribed a"));
  EXPECT_TRUE(streams_.wait_for_line("subscribed c"));
  server.command({"FCALL", "weir_publish", "1", "c", "x"});
  EXPECT_TRUE(streams_.wait_for_announced("c", 1));
}

TEST_F(RedisStreamsTest, RefusesDurableChannelsWhereRedisIsTooOldForThem) {
  RedisServer server(
      {.arguments = {"--rename-command", "SSUBSCRIBE", "", "--rename-command", "FUNCTION", ""}});
  start_streams(server);
  bus_->streams()->subscribe("news", {});
  EXPECT_TRUE(streams_.wait_for_line("refused news: durable channels need Redis 7"));
  ASSERT_TRUE(subscribe_and_wait("plain"));
  EXPECT_EQ(bus_->state().reconnects, 0u);
}

TEST_F(RedisStreamsTest, ReadsWithoutTheRightToInstall) {
  RedisServer server;
  server.command({"ACL", "SETUSER", "app", "on", ">pw", "~*", "&*", "+@all", "-function", "-info"});
  start_streams(stream_options("redis://app:pw@127.0.0.1:" + std::to_string(server.port())));
  ASSERT_TRUE(subscribe_durable("news"));
  ASSERT_TRUE(wait_until_publishing());
  const PublishResult without = publish("news", "x");
  EXPECT_EQ(without.outcome, PublishOutcome::kUnavailable);
  EXPECT_THAT(without.detail, HasSubstr("Redis lacks the function weir_publish: NOPERM"));
  EXPECT_THAT(metrics_page(), HasSubstr("weir_redis_function_checks_total{outcome=\"refused\"} 2"));
  // What an administrator does.
  server.command({"FUNCTION", "LOAD", std::string(kPublishFunction)});
  server.command({"ACL", "SETUSER", "app", "+info"});
  EXPECT_EQ(publish("news", "x").outcome, PublishOutcome::kDelivered);
}

TEST_F(RedisStreamsTest, NeedsTheRightsThatTheDocumentationNames) {
  RedisServer server;
  server.command({"ACL",
                  "SETUSER",
                  "app",
                  "on",
                  ">pw",
                  "-@all",
                  "+subscribe",
                  "+unsubscribe",
                  "+ssubscribe",
                  "+sunsubscribe",
                  "+ping",
                  "+publish",
                  "+xrange",
                  "+xrevrange",
                  "+xinfo|stream",
                  "+info",
                  "+watch",
                  "+unwatch",
                  "+multi",
                  "+exec",
                  "+incr",
                  "+function|list",
                  "+function|load",
                  "+fcall",
                  "+xadd",
                  "+xdel",
                  "+expire",
                  "+persist",
                  "+spublish",
                  "+time",
                  "+hget",
                  "+hset",
                  "+hdel",
                  "+hincrby",
                  "resetkeys",
                  "~weir:{*}",
                  "~weir:{*}:keys",
                  "~weir:function",
                  "resetchannels",
                  "&weir:{*}",
                  "&news",
                  "&are-you-there"});
  start_streams(stream_options("redis://app:pw@127.0.0.1:" + std::to_string(server.port())));
  ASSERT_TRUE(subscribe_durable("news"));
  ASSERT_TRUE(wait_until_publishing());
  DurableMessage keyed = message("news", "x");
  keyed.idempotency_key = "k";
  const PublishResult result = publish_and_wait(*bus_->streams(), keyed);
  EXPECT_EQ(result.outcome, PublishOutcome::kDelivered) << result.detail;
  const auto page = read({.channel = "news", .source = {}, .wants_end = true});
  EXPECT_EQ(page.outcome, Outcome::kRead) << page.why;
  EXPECT_EQ(read({.channel = "news", .source = {}, .is_downwards = true}).outcome, Outcome::kRead);
}

TEST_F(RedisStreamsTest, ReadsWhileRedisIsTooFullForTheFunction) {
  RedisServer server;
  server.command({"XADD", "weir:{news}", "7-1", "p", "x", "t", "5"});
  server.command({"CONFIG", "SET", "maxmemory", "1"});
  start_streams(server);
  ASSERT_TRUE(subscribe_durable("news"));
  EXPECT_THAT(payloads_of(read({.channel = "news", .source = {}}).entries), ElementsAre("x"));
  ASSERT_TRUE(wait_until_publishing());
  EXPECT_EQ(publish("news", "x").outcome, PublishOutcome::kUnavailable);
  server.command({"CONFIG", "SET", "maxmemory", "0"});
  server.command({"DEL", "weir:{news}"});
  EXPECT_EQ(publish("news", "x").outcome, PublishOutcome::kDelivered);
}

TEST_F(RedisStreamsTest, IsAwayWhileAScriptKeepsRedisBusy) {
  RedisServer server(RedisServer::Options{.arguments = {"--busy-reply-threshold", "1"}});
  start_streams(server);
  ASSERT_TRUE(subscribe_durable("news"));
  std::thread script([&] { server.command({"EVAL", "while true do end", "0"}); });
  StreamReadResult result;
  EXPECT_TRUE(poll([&] {
    result = read({.channel = "news", .source = {}});
    return result.outcome != Outcome::kRead;
  }));
  EXPECT_EQ(result.outcome, Outcome::kAway);
  ASSERT_TRUE(streams_.wait_for_line("unreadable"));
  EXPECT_TRUE(poll([&] { return server.command({"SCRIPT", "KILL"}) == "OK"; }));
  script.join();
  EXPECT_TRUE(streams_.wait_for_line("subscribed news", 2));
}

TEST_F(RedisStreamsTest, WarnsOnceOfAPolicyThatDeletesHistory) {
  RedisServer server(RedisServer::Options{.arguments = {"--maxmemory-policy", "volatile-lru"}});
  ::testing::internal::CaptureStderr();
  start_streams(server);
  EXPECT_TRUE(subscribe_durable("news"));
  // The policy is asked for before the function and the first read.
  server.command({"CLIENT", "KILL", "TYPE", "normal"});
  EXPECT_TRUE(streams_.wait_for_line("readable", 2));
  bus_.reset();
  const std::string log = ::testing::internal::GetCapturedStderr();
  const std::string line = "maxmemory-policy is volatile-lru";
  EXPECT_THAT(log, HasSubstr(line));
  EXPECT_EQ(log.find(line), log.rfind(line));
}

// --- Publishing

TEST_F(RedisStreamsTest, PublishesDurableAndPlainMessagesInOneOrder) {
  RedisServer server;
  start_streams(server);
  ASSERT_TRUE(subscribe_durable("news"));
  ASSERT_TRUE(wait_until_publishing());
  PublishResults results;
  for (const std::string& text : numbers(1'000)) {
    bus_->publish("other", text, results.collect());
    bus_->streams()->publish(message("news", text), results.collect());
  }
  const auto all = results.wait_for(2'000);
  ASSERT_EQ(all.size(), 2'000u);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].outcome, PublishOutcome::kDelivered) << all[i].detail;
    if (i % 2 == 1) {
      ASSERT_TRUE(all[i].id);
      EXPECT_EQ(all[i].id->n, (i + 1) / 2);
    } else {
      EXPECT_FALSE(all[i].id);
    }
  }
  ASSERT_TRUE(streams_.wait_for_announced("news", 1'000));
  EXPECT_EQ(payloads_of(streams_.announced("news")), numbers(1'000));
}

TEST_F(RedisStreamsTest, CarriesAnyBytesAndLimitsOfTheStream) {
  RedisServer server;
  start_streams(server);
  ASSERT_TRUE(subscribe_durable("news"));
  ASSERT_TRUE(wait_until_publishing());
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  const std::vector<std::string> payloads{bytes, "", " ", "\r\n", std::string(1 << 20, 'x')};
  for (const std::string& payload : payloads) {
    const PublishResult result = publish("news", payload);
    EXPECT_EQ(result.outcome, PublishOutcome::kDelivered) << result.detail;
  }
  ASSERT_TRUE(streams_.wait_for_announced("news", payloads.size()));
  EXPECT_EQ(payloads_of(streams_.announced("news")), payloads);
  EXPECT_EQ(payloads_of(read({.channel = "news", .source = {}, .count = 10}).entries), payloads);
  EXPECT_LE(std::stoi(server.command({"TTL", "weir:{news}"})), 600);
  // The function's own limits are those that the call leaves out.
  DurableMessage usual = message("usual", "x");
  usual.seconds_max = kPublishSeconds;
  EXPECT_EQ(publish_and_wait(*bus_->streams(), usual).outcome, PublishOutcome::kDelivered);
  EXPECT_GT(std::stoi(server.command({"TTL", "weir:{usual}"})), 600'000);
  usual = message("forever", "x");
  usual.seconds_max = 0;
  EXPECT_EQ(publish_and_wait(*bus_->streams(), usual).outcome, PublishOutcome::kDelivered);
  EXPECT_EQ(server.command({"TTL", "weir:{forever}"}), "-1");
}

TEST_F(RedisStreamsTest, AnIdempotencyKeyGivesTheFirstIdAgain) {
  RedisServer server;
  start_streams(server);
  ASSERT_TRUE(subscribe_durable("news"));
  ASSERT_TRUE(wait_until_publishing());
  DurableMessage keyed = message("news", "x");
  keyed.idempotency_key = "order 7";
  const PublishResult first = publish_and_wait(*bus_->streams(), keyed);
  const PublishResult second = publish_and_wait(*bus_->streams(), keyed);
  EXPECT_FALSE(first.is_repeated);
  EXPECT_TRUE(second.is_repeated);
  ASSERT_TRUE(first.id);
  EXPECT_EQ(first.id, second.id);
  EXPECT_EQ(server.command({"XLEN", "weir:{news}"}), "1");
}

TEST_F(RedisStreamsTest, SaysWhyADurableMessageWasNotTaken) {
  RedisServer server;
  server.command({"ACL", "SETUSER", "app", "on", ">pw", "~*", "&*", "+@all", "-xadd"});
  RedisBusOptions options = stream_options("redis://app:pw@127.0.0.1:" + std::to_string(server.port()));
  options.limits.message_bytes_max = 8 << 20;
  start_streams(options);
  ASSERT_TRUE(streams_.wait_for_line("readable"));
  ASSERT_TRUE(wait_until_publishing());
  EXPECT_EQ(publish("news", "x").outcome, PublishOutcome::kForbidden);
  server.command({"ACL", "SETUSER", "app", "+xadd", "-spublish"});
  EXPECT_EQ(publish("news", "x").outcome, PublishOutcome::kForbidden);
  EXPECT_EQ(server.command({"EXISTS", "weir:{news}"}), "0");
  server.command({"ACL", "SETUSER", "app", "+spublish"});
  EXPECT_EQ(publish("news", std::string((4 << 20) + 1, 'x')).outcome, PublishOutcome::kTooLarge);
  EXPECT_EQ(publish("news", std::string(4 << 20, 'x')).outcome, PublishOutcome::kDelivered);
  server.command({"SET", "weir:{text}", "x"});
  EXPECT_EQ(publish("text", "x").outcome, PublishOutcome::kRefused);
  server.command({"CONFIG", "SET", "maxmemory", "1"});
  const PublishResult full = publish("news", "x");
  EXPECT_EQ(full.outcome, PublishOutcome::kUnavailable);
  EXPECT_EQ(full.detail, "Redis is out of memory");
}

// --- The function

TEST_F(RedisStreamsTest, InstallsTheFunctionWhereItIsMissingOrOlderAndNeverAnOlderOne) {
  RedisServer server;
  const std::string newer = renamed("weir 99");
  server.command({"FUNCTION", "LOAD", newer});
  start_streams(server);
  ASSERT_TRUE(streams_.wait_for_line("readable"));
  EXPECT_THAT(server.command({"FUNCTION", "LIST"}), HasSubstr("weir 99"));
  EXPECT_EQ(server.command({"EXISTS", "weir:function"}), "0");
  EXPECT_THAT(metrics_page(), HasSubstr("weir_redis_function_checks_total{outcome=\"present\"} 1"));
  bus_.reset();
  for (const std::string& older : {renamed("weir 0"), renamed("something else")}) {
    server.command({"FUNCTION", "LOAD", "REPLACE", older});
    start_streams(server);
    ASSERT_TRUE(streams_.wait_for_line("readable", ++readable_));
    EXPECT_THAT(server.command({"FUNCTION", "LIST"}), HasSubstr("weir 1"));
    EXPECT_THAT(metrics_page(), HasSubstr("weir_redis_function_checks_total{outcome=\"installed\"} 1"));
    bus_.reset();
  }
}

TEST_F(RedisStreamsTest, InstallsTheFunctionWhenItIsGoneAndSendsTheMessagesOnceMoreInOrder) {
  RedisServer server;
  start_streams(server);
  ASSERT_TRUE(subscribe_durable("news"));
  ASSERT_TRUE(wait_until_publishing());
  server.command({"FUNCTION", "FLUSH"});
  PublishResults results;
  for (const std::string& text : numbers(300)) {
    bus_->streams()->publish(message("news", text), results.collect());
  }
  for (const PublishResult& result : results.wait_for(300)) {
    EXPECT_EQ(result.outcome, PublishOutcome::kDelivered) << result.detail;
  }
  ASSERT_TRUE(streams_.wait_for_announced("news", 300));
  EXPECT_EQ(payloads_of(streams_.announced("news")), numbers(300));
  EXPECT_EQ(bus_->state().publishes_waiting, 0u);
}

TEST_F(RedisStreamsTest, ManyGatewaysInstallAtOnce) {
  RedisServer server;
  std::deque<StreamObserver> observers(8);
  std::vector<std::unique_ptr<Bus>> buses;
  for (StreamObserver& observer : observers) {
    buses.push_back(make_redis_bus(stream_options(server.url()), observer_));
    buses.back()->streams()->set_listener(observer);
  }
  for (const auto& bus : buses) bus->start();
  for (StreamObserver& observer : observers) ASSERT_TRUE(observer.wait_for_line("readable"));
  EXPECT_THAT(server.command({"FUNCTION", "LIST"}), HasSubstr("weir_publish"));
  EXPECT_EQ(server.command({"GET", "weir:function"}), "1");
}

TEST_F(RedisStreamsTest, ALookWhileAnotherGatewayInstallsANewerOneLeavesThatThere) {
  RedisServer server;
  // Between WATCH and EXEC a newer one comes, as a slow FUNCTION LIST would have it.
  const std::string newer = renamed("weir 99");
  bool has_come = false;
  RawRedis redis(server.port());
  std::string why_not = "not asked";
  FunctionInstaller installer(
      [&](const std::vector<std::string_view>& words, FunctionInstaller::Answered done) {
        if (words.front() == "MULTI" && !std::exchange(has_come, true)) {
          server.pipeline(
              {{"MULTI"}, {"FUNCTION", "LOAD", "REPLACE", newer}, {"INCR", "weir:function"}, {"EXEC"}});
        }
        redis.ask(words, std::move(done));
      });
  installer.ensure([&](const std::string& why) { why_not = why; });
  redis.run();
  EXPECT_EQ(why_not, "");
  EXPECT_TRUE(has_come);
  EXPECT_THAT(server.command({"FUNCTION", "LIST"}), HasSubstr("weir 99"));
  EXPECT_EQ(installer.counts().present.value(), 1u);
}

TEST_F(RedisStreamsTest, GivesUpToInstallAfterSomeAttempts) {
  RedisServer server;
  RawRedis redis(server.port());
  std::string why_not;
  FunctionInstaller installer(
      [&](const std::vector<std::string_view>& words, FunctionInstaller::Answered done) {
        if (words.front() == "MULTI") server.command({"INCR", "weir:function"});
        redis.ask(words, std::move(done));
      });
  installer.ensure([&](const std::string& why) { why_not = why; });
  redis.run();
  EXPECT_EQ(why_not, "other gateways install it again and again");
  EXPECT_EQ(server.command({"GET", "weir:function"}), std::to_string(FunctionInstaller::kAttemptsMax));
}

TEST_F(RedisStreamsTest, HasTwoConnectionsWithoutStreams) {
  RedisServer server;
  start(server.url());
  ASSERT_TRUE(subscribe_and_wait("news"));
  ASSERT_TRUE(wait_until_publishing());
  EXPECT_EQ(bus_->streams(), nullptr);
  EXPECT_THAT(server.command({"INFO", "clients"}),
              HasSubstr("connected_clients:3"));  // And the one that asks.
}

TEST_F(RedisStreamsTest, CompletesEveryReadAndPublishWhenItIsStopped) {
  RedisServer server;
  start_streams(server);
  ASSERT_TRUE(streams_.wait_for_line("readable"));
  ASSERT_TRUE(wait_until_publishing());
  server.pause();
  ReadResults reads;
  PublishResults publishes;
  for (int i = 0; i < 100; ++i) {
    bus_->streams()->read({.channel = "news", .source = {}}, reads.collect());
    bus_->streams()->publish(message("news", "x"), publishes.collect());
  }
  bus_->stop();
  bus_->streams()->read({.channel = "news", .source = {}}, reads.collect());
  EXPECT_EQ(reads.wait_for(101).size(), 101u);
  EXPECT_EQ(publishes.wait_for(100).size(), 100u);
  server.resume();
}

TEST_F(RedisStreamsTest, FollowsAStreamThatAnApplicationFills) {
  RedisServer server;
  start_streams(server);
  bus_->streams()->subscribe("log", {.kind = StreamSource::Kind::kFollowed, .key = "app-log"});
  ASSERT_TRUE(streams_.wait_for_line("subscribed log"));
  ASSERT_TRUE(streams_.wait_for_line("readable"));
  EXPECT_EQ(server.subscribers("log"), "0");
  server.command({"XADD", "app-log", "5-1", "data", "one", "type", "line"});
  const auto page =
      read({.channel = "log", .source = {.kind = StreamSource::Kind::kFollowed, .key = "app-log"}});
  ASSERT_EQ(page.entries.size(), 1u) << page.why;
  EXPECT_EQ(page.entries[0].payload, "one");
  EXPECT_EQ(page.entries[0].type, "line");
}

}  // namespace
}  // namespace weir
