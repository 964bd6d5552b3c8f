// StreamFollower against a real redis-server.
#include "broker/bus/stream_follower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <asio/post.hpp>
#include <future>
#include <random>
#include <sstream>

#include "broker/base/metrics.h"
#include "broker/bus/bus_thread.h"
#include "tests/unit/bus/followed_observer.h"
#include "tests/unit/bus/redis_bus_fixture.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

StreamSource source_of(const std::string& key) {
  return {.kind = StreamSource::Kind::kFollowed, .key = key, .data_field = "data"};
}
RedisServer::Words xadd(const std::string& key, const std::string& data) {
  return {"XADD", key, "*", "data", data};
}

class StreamFollowerTest : public RedisBusTest {
 protected:
  ~StreamFollowerTest() override { stop(); }

  // Old groups wait for 2 s, so that tests that wait for their turn are not slow.
  void start() {
    RedisBusOptions options = options_for(server_.url());
    options.answer_timeout = std::chrono::seconds(5);
    start(std::move(options));
  }
  void start(RedisBusOptions options) {
    options_ = std::move(options);
    follower_ = std::make_unique<StreamFollower>(thread_.io(), options_, listener_);
    thread_.start();
  }
  void stop() {
    if (!thread_.is_running()) return;
    thread_.stop([this] { follower_->close(); });
    EXPECT_THAT(listener_.faults(), IsEmpty());
  }
  // Streams are looked at so often that what it leads to comes soon.
  RedisBusOptions hasty_options() const {
    RedisBusOptions options = options_for(server_.url());
    options.stream_look_interval = std::chrono::milliseconds(300);
    return options;
  }

  // Runs `work` on the bus thread, and returns when it is done.
  template <typename Work>
  void on_bus_thread(Work work) {
    std::promise<void> done;
    asio::post(thread_.io(), [&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }
  void subscribe(const std::string& channel) { subscribe(channel, channel); }
  void subscribe(const std::string& channel, const std::string& key) {
    on_bus_thread([&] { follower_->subscribe(channel, source_of(key)); });
  }
  void unsubscribe(const std::string& channel) {
    on_bus_thread([&] { follower_->unsubscribe(channel); });
  }
  // Channels "s0", "s1", ..., each on the stream of its name.
  [[nodiscard]] bool subscribe_many(std::size_t count) {
    on_bus_thread([&] {
      for (std::size_t i = 0; i < count; ++i) follower_->subscribe(name(i), source_of(name(i)));
    });
    return listener_.wait_for_subscribed(count);
  }
  static std::string name(std::size_t i) { return "s" + std::to_string(i); }
  std::vector<RedisServer::Words> one_each(std::size_t count, const std::string& data) const {
    std::vector<RedisServer::Words> commands;
    for (std::size_t i = 0; i < count; ++i) commands.push_back(xadd(name(i), data));
    return commands;
  }

  std::uint64_t metric(const std::string& row) const {
    Metrics metrics;
    metrics.add_source([this](MetricsPage& page) { follower_->collect(page); });
    std::istringstream page(metrics.render());
    for (std::string line; std::getline(page, line);) {
      if (line.starts_with(row + " ")) return std::stoull(line.substr(row.size()));
    }
    ADD_FAILURE() << row << " is not on the page";
    return 0;
  }
  std::uint64_t commands(const std::string& kind) const {
    return metric("weir_followed_commands_total{kind=\"" + kind + "\"}");
  }
  std::uint64_t connections() const { return metric("weir_followed_connections"); }
  // The ids of Redis' clients that wait in an XREAD BLOCK (`is_blocked`), or those of all others of ours.
  std::vector<std::string> clients(bool is_blocked) const {
    std::vector<std::string> ids;
    std::istringstream list(server_.command({"CLIENT", "LIST"}));
    for (std::string line; std::getline(list, line);) {
      if (line.find("cmd=client") != std::string::npos) continue;
      if ((line.find("flags=b") != std::string::npos) != is_blocked) continue;
      ids.push_back(line.substr(3, line.find(' ') - 3));
    }
    return ids;
  }
  // Until `streams` streams are waited for in groups, and none is read by itself.
  [[nodiscard]] bool wait_until_settled(std::size_t groups) {
    return poll([&] { return clients(true).size() >= groups; }) && wait_until_quiet();
  }
  // Until no stream was read by itself for some answers of a group.
  [[nodiscard]] bool wait_until_quiet() {
    return poll([&] {
      const auto alone = commands("alone");
      const auto groups = commands("group");
      return poll([&] { return commands("group") >= groups + 2; }) && commands("alone") == alone;
    });
  }

  RedisServer server_;
  RedisBusOptions options_;
  BusThread thread_;
  FollowedObserver listener_{
      [this](std::string_view channel, StreamId after) { follower_->follow(channel, after); }};
  std::unique_ptr<StreamFollower> follower_;
};

TEST_F(StreamFollowerTest, EntriesArriveInOrderWithTheirPayloads) {
  start();
  subscribe("logs");
  ASSERT_TRUE(listener_.wait_for_subscribed("logs"));
  server_.command({"XADD", "logs", "5-1", "data", "a"});
  server_.command({"XADD", "logs", "5-2", "level", "info", "text", "b"});
  server_.command({"XADD", "logs", "7-0", "data", "c"});
  ASSERT_TRUE(listener_.wait_for_payloads("logs", 3));
  EXPECT_THAT(listener_.payloads("logs"), ElementsAre("a", R"({"level":"info","text":"b"})", "c"));
}

TEST_F(StreamFollowerTest, ItBeginsBehindTheIdThatWasGiven) {
  for (const char* id : {"1-1", "1-2", "1-3"}) server_.command({"XADD", "logs", id, "data", id});
  start();
  listener_.set_last("logs", {1, 2});
  subscribe("logs");
  ASSERT_TRUE(listener_.wait_for_payloads("logs", 1));
  EXPECT_THAT(listener_.payloads("logs"), ElementsAre("1-3"));
}

TEST_F(StreamFollowerTest, ThePrefixIsPutBeforeTheKey) {
  RedisBusOptions options = options_for(server_.url());
  options.prefix = "app:";
  start(std::move(options));
  subscribe("logs", "stream");
  ASSERT_TRUE(listener_.wait_for_subscribed("logs"));
  server_.command(xadd("stream", "no"));
  server_.command(xadd("app:stream", "yes"));
  ASSERT_TRUE(listener_.wait_for_payloads("logs", 1));
  EXPECT_THAT(listener_.payloads("logs"), ElementsAre("yes"));
}

TEST_F(StreamFollowerTest, ALongBacklogArrivesWhole) {
  constexpr std::size_t kEntries = 5'000;
  std::vector<RedisServer::Words> commands;
  for (const std::string& text : numbers(kEntries)) commands.push_back(xadd("logs", text));
  server_.pipeline(commands);
  start();
  subscribe("logs");
  ASSERT_TRUE(listener_.wait_for_payloads("logs", kEntries));
  server_.pipeline(commands);
  ASSERT_TRUE(listener_.wait_for_payloads("logs", 2 * kEntries));
  auto expected = numbers(kEntries);
  const auto again = expected;
  expected.insert(expected.end(), again.begin(), again.end());
  EXPECT_EQ(listener_.payloads("logs"), expected);
}

TEST_F(StreamFollowerTest, LargeEntriesAreReadFewAtATimeAndTooLargeOnesAreTold) {
  RedisBusOptions options = options_for(server_.url());
  options.limits.message_bytes_max = 300'000;
  start(std::move(options));
  subscribe("logs");
  ASSERT_TRUE(listener_.wait_for_subscribed("logs"));
  const std::string large(300'000, 'x');
  server_.pipeline({xadd("logs", large), xadd("logs", large + "y"), xadd("logs", std::string(1 << 20, 'z')),
                    xadd("logs", "small"), xadd("logs", large)});
  ASSERT_TRUE(listener_.wait_for_payloads("logs", 5));
  EXPECT_THAT(listener_.payloads("logs"), ElementsAre(large, "(too large)", "(too large)", "small", large));
}

TEST_F(StreamFollowerTest, AnEntryWithTooManyFieldsHarmsNobody) {
  start();
  ASSERT_TRUE(subscribe_many(3));
  ASSERT_TRUE(wait_until_settled(1));
  RedisServer::Words many = {"XADD", "s1", "*"};
  many.resize(3 + 2 * 40'000, "x");
  server_.command(many);
  server_.pipeline(one_each(3, "y"));
  ASSERT_TRUE(listener_.wait_for_total(4));
  EXPECT_THAT(listener_.payloads("s1"), ElementsAre("(too large)", "y"));
  EXPECT_EQ(listener_.channels_lost(), 0U);
}

TEST_F(StreamFollowerTest, TwoChannelsOfOneStreamBothHaveIt) {
  start();
  subscribe("a", "logs");
  subscribe("b", "logs");
  ASSERT_TRUE(listener_.wait_for_subscribed(2));
  for (const char* text : {"1", "2", "3"}) {
    server_.command(xadd("logs", text));
  }
  ASSERT_TRUE(listener_.wait_for_payloads("a", 3));
  ASSERT_TRUE(listener_.wait_for_payloads("b", 3));
  EXPECT_THAT(listener_.payloads("a"), ElementsAre("1", "2", "3"));
  EXPECT_THAT(listener_.payloads("b"), ElementsAre("1", "2", "3"));
}

TEST_F(StreamFollowerTest, NewStreamsAreLiveWhileOthersWait) {
  start();
  for (std::size_t i = 0; i < 30; ++i) {
    subscribe(name(i));
    ASSERT_TRUE(listener_.wait_for_subscribed(name(i)));
    server_.pipeline(one_each(i + 1, "x"));
  }
  for (std::size_t i = 0; i < 30; ++i) EXPECT_TRUE(listener_.wait_for_payloads(name(i), 30 - i)) << i;
}

TEST_F(StreamFollowerTest, UnsubscribedWhileRedisWaitsForItNothingComesAndTheOthersGoOn) {
  start();
  ASSERT_TRUE(subscribe_many(3));
  ASSERT_TRUE(wait_until_settled(1));
  unsubscribe("s1");
  server_.pipeline(one_each(3, "x"));
  ASSERT_TRUE(listener_.wait_for_payloads("s0", 1));
  ASSERT_TRUE(listener_.wait_for_payloads("s2", 1));
  ASSERT_TRUE(wait_until_quiet());
  EXPECT_THAT(listener_.payloads("s1"), IsEmpty());
  EXPECT_EQ(follower_->wanted(), 2U);
  // Wanted again, it begins where its listener wants.
  subscribe("s1");
  ASSERT_TRUE(listener_.wait_for_payloads("s1", 1));
}

TEST_F(StreamFollowerTest, StreamsThatComeAndGoWhileRedisIsSilentAreForgotten) {
  start();
  subscribe("stays");
  ASSERT_TRUE(listener_.wait_for_subscribed("stays"));
  server_.pause();
  on_bus_thread([&] {
    for (std::size_t i = 0; i < 20'000; ++i) {
      follower_->subscribe(name(i), source_of(name(i)));
      follower_->unsubscribe(name(i));
    }
  });
  EXPECT_LT(follower_->held(), 2'000U);
  server_.resume();
  server_.command(xadd("stays", "x"));
  EXPECT_TRUE(listener_.wait_for_payloads("stays", 1));
}

TEST_F(StreamFollowerTest, WithoutAStreamThereIsNoConnection) {
  start();
  EXPECT_EQ(connections(), 0U);
  subscribe("logs");
  ASSERT_TRUE(wait_until_settled(1));
  unsubscribe("logs");
  EXPECT_EQ(connections(), 0U);
  EXPECT_TRUE(poll([&] { return clients(true).empty() && clients(false).empty(); }));
  subscribe("logs");
  server_.command(xadd("logs", "x"));
  EXPECT_TRUE(listener_.wait_for_payloads("logs", 1));
}

TEST_F(StreamFollowerTest, FiveThousandStreamsHaveABoundedNumberOfConnections) {
  constexpr std::size_t kStreams = 5'000;
  start();
  ASSERT_TRUE(subscribe_many(kStreams));
  ASSERT_TRUE(wait_until_settled(kStreams / StreamFollower::kGroupStreams));
  EXPECT_EQ(follower_->subscribed(), kStreams);
  for (const char* text : {"1", "2", "3"}) server_.pipeline(one_each(kStreams, text));
  ASSERT_TRUE(listener_.wait_for_total(3 * kStreams));
  EXPECT_LE(connections(), StreamFollower::kGroupsMax + 1);
  for (std::size_t i = 0; i < kStreams; ++i) {
    EXPECT_THAT(listener_.payloads(name(i)), ElementsAre("1", "2", "3"));
  }
  EXPECT_TRUE(wait_until_quiet());
  EXPECT_LE(connections(), StreamFollower::kGroupsMax + 1);
  // Given up, they leave no more connections than they need.
  on_bus_thread([&] {
    for (std::size_t i = 1; i < kStreams; ++i) follower_->unsubscribe(name(i));
  });
  server_.command(xadd("s0", "4"));
  ASSERT_TRUE(listener_.wait_for_payloads("s0", 4));
}

TEST_F(StreamFollowerTest, ThoseThatDoNotFitShareTheGroupsThatThereAre) {
  constexpr std::size_t kStreams = (StreamFollower::kGroupsMax + 10) * StreamFollower::kGroupStreams;
  start();
  ASSERT_TRUE(subscribe_many(kStreams));
  server_.pipeline(one_each(kStreams, "1"));
  ASSERT_TRUE(listener_.wait_for_total(kStreams));
  ASSERT_TRUE(wait_until_quiet());
  EXPECT_LE(connections(), StreamFollower::kGroupsMax + 1);
  server_.pipeline(one_each(kStreams, "2"));
  ASSERT_TRUE(listener_.wait_for_total(2 * kStreams));
}

TEST_F(StreamFollowerTest, GroupsThatBecameSmallAreMerged) {
  RedisBusOptions options = hasty_options();
  options.answer_timeout = std::chrono::milliseconds(500);  // So no group waits longer than 200 ms.
  start(std::move(options));
  ASSERT_TRUE(subscribe_many(400));
  ASSERT_TRUE(wait_until_settled(4));
  on_bus_thread([&] {
    for (std::size_t i = 0; i < 400; ++i) {
      if (i % 10 != 0) follower_->unsubscribe(name(i));
    }
  });
  EXPECT_TRUE(poll([&] { return connections() == 2; })) << connections();
  server_.pipeline(one_each(400, "x"));
  EXPECT_TRUE(listener_.wait_for_total(40));
}

TEST_F(StreamFollowerTest, ABusyStreamDelaysNoOtherAndCostsFewReads) {
  constexpr std::size_t kStreams = 300;
  constexpr std::size_t kRounds = 100;
  constexpr std::size_t kBurst = 200;
  start();
  ASSERT_TRUE(subscribe_many(kStreams));
  ASSERT_TRUE(wait_until_settled(3));
  const auto groups_before = commands("group");
  const auto alone_before = commands("alone");
  const auto began = std::chrono::steady_clock::now();
  const std::vector<RedisServer::Words> burst(kBurst, xadd("s7", "busy"));
  for (std::size_t round = 0; round < kRounds; ++round) {
    server_.pipeline(burst);
    // The others arrive although the busy one has more.
    const std::string other = name(10 + round);
    server_.command(xadd(other, "x"));
    ASSERT_TRUE(listener_.wait_for_payloads(other, 1));
  }
  ASSERT_TRUE(listener_.wait_for_payloads("s7", kRounds * kBurst));
  const auto beats =
      static_cast<std::uint64_t>((std::chrono::steady_clock::now() - began) / StreamFollower::kBeat + 1);
  // The young group at each beat, and an old one for the first news of a member, or after its whole wait.
  EXPECT_LE(commands("group") - groups_before, beats + kRounds + beats / 20 + 20);
  // By themselves: at each beat the few that have just had news; and the busy one by many entries at a time.
  EXPECT_LE(commands("alone") - alone_before, 3 * beats + 2 * kRounds + kRounds * kBurst / 100);
}

TEST_F(StreamFollowerTest, QuietStreamsAreNotReadByThemselves) {
  start();
  ASSERT_TRUE(subscribe_many(250));
  ASSERT_TRUE(wait_until_settled(3));
  const auto alone = commands("alone");
  server_.command({"CONFIG", "RESETSTAT"});
  ASSERT_TRUE(poll([&, groups = commands("group")] { return commands("group") >= groups + 8; }));
  EXPECT_EQ(commands("alone"), alone);
  const std::string stats = server_.command({"INFO", "commandstats"});
  const std::size_t at = stats.find("cmdstat_xread:calls=");
  ASSERT_NE(at, std::string::npos) << stats;
  EXPECT_LT(std::stoi(stats.substr(at + 20)), 20);
}

TEST_F(StreamFollowerTest, AStreamThatWasMadeAnewIsSubscribedAgain) {
  start(hasty_options());
  ASSERT_TRUE(subscribe_many(120));
  server_.command({"XADD", "s3", "5-1", "data", "old"});
  ASSERT_TRUE(listener_.wait_for_payloads("s3", 1));
  ASSERT_TRUE(wait_until_quiet());
  listener_.set_last("s3", {});  // As the hub, which finds an end that is lower than what it knows.
  server_.command({"DEL", "s3"});
  server_.command({"XADD", "s3", "1-1", "data", "new"});
  ASSERT_TRUE(listener_.wait_for_payloads("s3", 2));
  EXPECT_EQ(listener_.times_lost("s3"), 1);
  EXPECT_EQ(listener_.channels_lost(), 1U);
  server_.command({"XADD", "s3", "1-2", "data", "newer"});
  ASSERT_TRUE(listener_.wait_for_payloads("s3", 3));
  EXPECT_THAT(listener_.payloads("s3"), ElementsAre("old", "new", "newer"));
  EXPECT_EQ(metric("weir_followed_made_anew_total"), 1U);
}

TEST_F(StreamFollowerTest, AStreamThatStaysDeletedIsMadeAnewOnce) {
  start(hasty_options());
  subscribe("logs");
  server_.command({"XADD", "logs", "5-1", "data", "old"});
  ASSERT_TRUE(listener_.wait_for_payloads("logs", 1));
  listener_.set_last("logs", {0, 1});  // Where the hub stands then.
  server_.command({"DEL", "logs"});
  ASSERT_TRUE(listener_.wait_for_subscribed("logs", 2));
  ASSERT_TRUE(poll([&, looks = commands("look")] { return commands("look") >= looks + 4; }));
  EXPECT_EQ(metric("weir_followed_made_anew_total"), 1U);
  server_.command({"XADD", "logs", "1-1", "data", "new"});
  ASSERT_TRUE(listener_.wait_for_payloads("logs", 2));
  EXPECT_THAT(listener_.payloads("logs"), ElementsAre("old", "new"));
}

TEST_F(StreamFollowerTest, AStreamWithHigherIdsButFewerEntriesWasMadeAnew) {
  start(hasty_options());
  subscribe("logs");
  ASSERT_TRUE(listener_.wait_for_subscribed("logs"));
  server_.pipeline({xadd("logs", "a"), xadd("logs", "b")});
  ASSERT_TRUE(listener_.wait_for_payloads("logs", 2));
  // Each stream must have been looked at since.
  ASSERT_TRUE(poll([&, looks = commands("look")] { return commands("look") >= looks + 2; }));
  server_.command({"DEL", "logs"});
  server_.command(xadd("logs", "c"));
  ASSERT_TRUE(listener_.wait_for_subscribed("logs", 2));
  ASSERT_TRUE(listener_.wait_for_payloads("logs", 3));
  EXPECT_THAT(listener_.payloads("logs"), ElementsAre("a", "b", "c"));
}

TEST_F(StreamFollowerTest, TrimmingAndDeletingEntriesMakesNoStreamAnew) {
  start(hasty_options());
  subscribe("logs");
  server_.command(xadd("logs", "a"));
  ASSERT_TRUE(listener_.wait_for_payloads("logs", 1));
  server_.command({"XADD", "logs", "MAXLEN", "1", "*", "data", "b"});
  ASSERT_TRUE(listener_.wait_for_payloads("logs", 2));
  server_.command({"XTRIM", "logs", "MAXLEN", "0"});
  ASSERT_TRUE(poll([&, looks = commands("look")] { return commands("look") >= looks + 3; }));
  EXPECT_EQ(listener_.times_lost("logs"), 0);
}

TEST_F(StreamFollowerTest, WhatWasTrimmedBeforeItCouldBeReadIsToldAndWhatIsLeftArrives) {
  start();
  subscribe("logs");
  ASSERT_TRUE(listener_.wait_for_subscribed("logs"));
  for (const int round : {1, 2, 3}) {
    const auto had = listener_.payloads("logs").size();
    server_.pipeline({{"MULTI"},
                      xadd("logs", "a"),
                      xadd("logs", "b"),
                      xadd("logs", "c"),
                      xadd("logs", "d"),
                      {"XTRIM", "logs", "MAXLEN", "2"},
                      {"EXEC"}});
    ASSERT_TRUE(listener_.wait_for_payloads("logs", had + 2));
    EXPECT_EQ(listener_.times_lost("logs"), round);
  }
  EXPECT_THAT(listener_.payloads("logs"), ElementsAre("c", "d", "c", "d", "c", "d"));
}

TEST_F(StreamFollowerTest, WhatWasTrimmedAsItCameIsToldWhenTheStreamIsLookedAt) {
  start(hasty_options());
  subscribe("logs");
  server_.command(xadd("logs", "a"));
  ASSERT_TRUE(listener_.wait_for_payloads("logs", 1));
  server_.pipeline({{"MULTI"}, xadd("logs", "b"), {"XTRIM", "logs", "MAXLEN", "0"}, {"EXEC"}});
  ASSERT_TRUE(listener_.wait_for_subscribed("logs", 2));
  server_.command(xadd("logs", "c"));
  ASSERT_TRUE(listener_.wait_for_payloads("logs", 2));
  EXPECT_THAT(listener_.payloads("logs"), ElementsAre("a", "c"));
}

TEST_F(StreamFollowerTest, AStreamOfOneEntryHasNoHolesWhereNothingIsMissed) {
  constexpr std::size_t kStreams = 120;
  for (const std::string& text : numbers(3))
    server_.command({"XADD", "s0", "MAXLEN", "1", "*", "data", text});
  start();
  listener_.set_last("s0",
                     *parse_stream_id(server_.command({"XADD", "s0", "MAXLEN", "1", "*", "data", "before"})));
  ASSERT_TRUE(subscribe_many(kStreams));
  for (std::size_t round = 0; round < 50; ++round) {
    for (std::size_t i = 0; i < kStreams; i += 40) {
      server_.command({"XADD", name(i), "MAXLEN", "1", "*", "data", std::to_string(round)});
    }
    for (std::size_t i = 0; i < kStreams; i += 40)
      ASSERT_TRUE(listener_.wait_for_payloads(name(i), round + 1)) << i;
  }
  for (std::size_t i = 0; i < kStreams; i += 40) EXPECT_EQ(listener_.payloads(name(i)), numbers(50)) << i;
  EXPECT_EQ(listener_.channels_lost(), 0U);
}

TEST_F(StreamFollowerTest, DeletedEntriesAreNoHoleForEver) {
  start();
  subscribe("logs");
  ASSERT_TRUE(listener_.wait_for_subscribed("logs"));
  const auto add = [this](const char* text) { return server_.command(xadd("logs", text)); };
  const std::string first = add("0");
  const std::string second = add("1");
  ASSERT_TRUE(listener_.wait_for_payloads("logs", 2));
  // Those that were read, the last one too.
  server_.command({"XDEL", "logs", first, second});
  add("2");
  ASSERT_TRUE(listener_.wait_for_payloads("logs", 3));
  EXPECT_EQ(listener_.times_lost("logs"), 0);
  // One that was not read, while those before it are there still.
  server_.pipeline({{"MULTI"},
                    {"XADD", "logs", "99999999999999-1", "data", "x"},
                    xadd("logs", "3"),
                    {"XDEL", "logs", "99999999999999-1"},
                    {"EXEC"}});
  ASSERT_TRUE(listener_.wait_for_payloads("logs", 4));
  EXPECT_EQ(listener_.times_lost("logs"), 0);
  for (std::size_t n = 4; n < 20; ++n) {
    server_.command({"XADD", "logs", "MAXLEN", "1", "*", "data", std::to_string(n)});
    ASSERT_TRUE(listener_.wait_for_payloads("logs", n + 1));
  }
  EXPECT_LE(listener_.times_lost("logs"), 1);
  EXPECT_EQ(listener_.payloads("logs"), numbers(20));
}

// Each entry is received, or in a hole that was told of before the next one.
TEST_F(StreamFollowerTest, HoweverItIsTrimmedNothingIsMissedWithoutAWord) {
  constexpr std::size_t kRounds = 400;
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  start(hasty_options());
  subscribe("logs");
  ASSERT_TRUE(listener_.wait_for_subscribed("logs"));
  std::size_t total = 0;
  for (std::size_t round = 0; round < kRounds; ++round) {
    std::vector<RedisServer::Words> commands;
    for (std::size_t left = std::array{1, 3, 60, 200}[random() % 4]; left > 0; --left) {
      commands.push_back({"XADD", "logs", "MAXLEN", std::array{"1", "5", "50", "300"}[random() % 4], "*",
                          "data", std::to_string(++total)});
    }
    server_.pipeline(commands);
  }
  const std::string last = std::to_string(total);
  ASSERT_TRUE(poll([&] {
    const auto payloads = listener_.payloads("logs");
    return !payloads.empty() && payloads.back() == last;
  }));
  const auto payloads = listener_.payloads("logs");
  const auto losses = listener_.lost_behind("logs");
  std::size_t before = 0;
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    const std::size_t number = std::stoull(payloads[i]);
    EXPECT_TRUE(number == before + 1 || losses.contains(i)) << number << " after " << before;
    before = number;
  }
  EXPECT_LT(payloads.size(), total);  // Else the test shows nothing.
}

TEST_F(StreamFollowerTest, AKeyOfAnotherTypeIsRefusedAtOnce) {
  server_.command({"SET", "s1", "text"});
  start();
  on_bus_thread([&] {
    for (std::size_t i = 0; i < 3; ++i) follower_->subscribe(name(i), source_of(name(i)));
  });
  ASSERT_TRUE(listener_.wait_for_refused("s1"));
  EXPECT_THAT(listener_.refused("s1"), StartsWith("WRONGTYPE"));
  EXPECT_EQ(follower_->wanted(), 2U);
  server_.command(xadd("s0", "x"));
  server_.command(xadd("s2", "x"));
  EXPECT_TRUE(listener_.wait_for_total(2));
}

TEST_F(StreamFollowerTest, OfAGroupOnlyTheKeyThatGotAnotherTypeIsRefused) {
  start();
  ASSERT_TRUE(subscribe_many(150));
  ASSERT_TRUE(wait_until_settled(2));
  server_.pipeline({{"DEL", "s20"}, {"SET", "s20", "text"}});
  server_.command(xadd("s21", "x"));
  ASSERT_TRUE(listener_.wait_for_refused("s20"));
  server_.pipeline(one_each(150, "y"));
  ASSERT_TRUE(listener_.wait_for_total(150));
  EXPECT_EQ(listener_.channels_lost(), 0U);
  EXPECT_THAT(listener_.payloads("s21"), ElementsAre("x", "y"));
}

TEST_F(StreamFollowerTest, OfAGroupOnlyTheKeyThatAnAclForbidsIsRefused) {
  server_.command({"ACL", "SETUSER", "default", "on", "nopass", "~*", "+@all"});
  server_.command({"ACL", "SETUSER", "app", "on", ">secret", "-@all", "+xread", "+xinfo|stream", "+ping",
                   "resetkeys", "~s*", "~mine"});
  start(options_for("redis://app:secret@127.0.0.1:" + std::to_string(server_.port())));
  subscribe("others");
  ASSERT_TRUE(listener_.wait_for_refused("others"));
  EXPECT_THAT(listener_.refused("others"), StartsWith("NOPERM"));
  subscribe("mine");
  ASSERT_TRUE(subscribe_many(5));
  ASSERT_TRUE(wait_until_settled(1));
  server_.command({"ACL", "SETUSER", "app", "resetkeys", "~s*"});
  ASSERT_TRUE(listener_.wait_for_refused("mine"));
  server_.pipeline(one_each(5, "x"));
  EXPECT_TRUE(listener_.wait_for_total(5));
}

TEST_F(StreamFollowerTest, ARestartedRedisIsALossOfAllAndAllComeBack) {
  start();
  ASSERT_TRUE(subscribe_many(150));
  server_.pipeline(one_each(150, "1"));
  ASSERT_TRUE(listener_.wait_for_total(150));
  server_.kill();
  ASSERT_TRUE(listener_.wait_for_lost(150));
  EXPECT_EQ(follower_->subscribed(), 0U);
  server_.start();
  ASSERT_TRUE(listener_.wait_for_subscribed(150, 2));
  server_.pipeline(one_each(150, "2"));
  ASSERT_TRUE(listener_.wait_for_total(300));
  EXPECT_EQ(follower_->subscribed(), 150U);
}

TEST_F(StreamFollowerTest, TheLossOfAGroupsConnectionIsNone) {
  start();
  ASSERT_TRUE(subscribe_many(250));
  ASSERT_TRUE(wait_until_settled(3));
  for (int round = 1; round <= 5; ++round) {
    for (const std::string& id : clients(true)) server_.command({"CLIENT", "KILL", "ID", id});
    server_.pipeline(one_each(250, std::to_string(round)));
    ASSERT_TRUE(listener_.wait_for_total(250U * static_cast<std::size_t>(round)));
  }
  EXPECT_THAT(listener_.payloads("s17"), ElementsAre("1", "2", "3", "4", "5"));
  EXPECT_EQ(listener_.channels_lost(), 0U);
  EXPECT_TRUE(wait_until_settled(3));
}

TEST_F(StreamFollowerTest, TheLossOfThePollersConnectionIsToldAndNothingIsMissed) {
  start();
  ASSERT_TRUE(subscribe_many(150));
  ASSERT_TRUE(wait_until_settled(2));
  for (const std::string& id : clients(false)) server_.command({"CLIENT", "KILL", "ID", id});
  server_.pipeline(one_each(150, "1"));
  ASSERT_TRUE(listener_.wait_for_subscribed(150, 2));
  server_.pipeline(one_each(150, "2"));
  ASSERT_TRUE(listener_.wait_for_total(300));
  EXPECT_THAT(listener_.payloads("s149"), ElementsAre("1", "2"));
}

TEST_F(StreamFollowerTest, WhateverIsCutEachEntryComesOnceAndInOrder) {
  constexpr std::size_t kStreams = 230;
  constexpr std::size_t kRounds = 150;
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto below = [&](std::size_t end) {
    return std::uniform_int_distribution<std::size_t>(0, end - 1)(random);
  };
  start(hasty_options());
  ASSERT_TRUE(subscribe_many(kStreams));
  std::vector<std::vector<std::string>> expected(kStreams);
  std::size_t total = 0;
  for (std::size_t round = 0; round < kRounds; ++round) {
    std::vector<RedisServer::Words> commands;
    for (std::size_t left = below(40); left > 0; --left) {
      // Ten of them are busy.
      const std::size_t stream = below(2) == 0 ? below(10) : below(kStreams);
      expected[stream].push_back(std::to_string(++total));
      commands.push_back(xadd(name(stream), expected[stream].back()));
    }
    if (!commands.empty()) server_.pipeline(commands);
    const auto ids = clients(below(4) != 0);
    if (!ids.empty() && below(3) == 0) server_.command({"CLIENT", "KILL", "ID", ids[below(ids.size())]});
    if (below(20) == 0) subscribe(name(below(kStreams)));
  }
  ASSERT_TRUE(listener_.wait_for_total(total));
  for (std::size_t i = 0; i < kStreams; ++i) EXPECT_EQ(listener_.payloads(name(i)), expected[i]) << i;
}

TEST_F(StreamFollowerTest, AWaitingRedisIsNotTakenForADeadOneAndADeadOneIsFound) {
  RedisBusOptions options = options_for(server_.url());
  options.ping_interval = std::chrono::milliseconds(50);
  options.answer_timeout = std::chrono::milliseconds(1'000);
  start(std::move(options));
  ASSERT_TRUE(subscribe_many(120));
  ASSERT_TRUE(wait_until_settled(2));
  // Longer than the deadline of a PING.
  ASSERT_TRUE(poll([&, groups = commands("group")] { return commands("group") >= groups + 15; }));
  EXPECT_EQ(listener_.channels_lost(), 0U);
  server_.pause();
  ASSERT_TRUE(listener_.wait_for_lost(120));
  server_.resume();
  ASSERT_TRUE(listener_.wait_for_subscribed(120, 2));
  server_.pipeline(one_each(120, "x"));
  EXPECT_TRUE(listener_.wait_for_total(120));
}

}  // namespace
}  // namespace weir
