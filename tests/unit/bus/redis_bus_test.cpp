// RedisBus against a real redis-server.
#include "broker/bus/redis_bus.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <future>
#include <random>
#include <set>

#include "broker/base/metrics.h"
#include "tests/support/redis_server.h"
#include "tests/unit/bus/redis_bus_fixture.h"

namespace weir {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

// A Redis that says what a test wants, when it wants: two pieces of its answers in one segment, for example.
class ScriptedRedis {
 public:
  ScriptedRedis() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    ::setsockopt(listener_, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 16), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~ScriptedRedis() {
    cut();
    for (const int fd : others_) ::close(fd);
    ::close(listener_);
  }
  ScriptedRedis(const ScriptedRedis&) = delete;
  ScriptedRedis& operator=(const ScriptedRedis&) = delete;

  std::string url() const { return "redis://127.0.0.1:" + std::to_string(port_); }

  // Greets whoever comes until one of them subscribes; from then on it is that connection's turn. What it
  // has asked for by then, from "SUBSCRIBE" or "PSUBSCRIBE" on.
  std::string accept_subscriber() {
    for (;;) {
      const int fd = ::accept(listener_, nullptr, nullptr);
      if (fd < 0) return "nobody came";
      ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
      read_until(fd, "PING\r\n");
      send(fd, "+PONG\r\n");
      // The publisher has nothing to ask for.
      const timeval soon{1, 0};
      ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
      const std::string asked = read_until(fd, "SUBSCRIBE\r\n");
      ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
      if (asked.find("SUBSCRIBE") != std::string::npos) {
        subscriber_ = fd;
        return asked;
      }
      others_.push_back(fd);
    }
  }
  void say(const std::string& text) { send(subscriber_, text); }
  void cut() {
    if (subscriber_ >= 0) ::close(std::exchange(subscriber_, -1));
  }

 private:
  static constexpr timeval kPatience{60, 0};

  static void send(int fd, const std::string& text) {
    EXPECT_EQ(::send(fd, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  static std::string read_until(int fd, const std::string& what) {
    std::string text;
    char byte = 0;
    while (text.find(what) == std::string::npos && ::recv(fd, &byte, 1, 0) == 1) text += byte;
    return text;
  }

  int listener_;
  std::uint16_t port_ = 0;
  int subscriber_ = -1;
  std::vector<int> others_;
};

// --- Messages

TEST_F(RedisBusTest, DeliversAllMessagesOfAChannelInOrder) {
  RedisServer server;
  start(server.url());
  ASSERT_TRUE(subscribe_and_wait("news"));
  const auto replies = server.pipeline(publishes("news", numbers(20'000)));
  EXPECT_THAT(replies, Each(std::string("1")));
  ASSERT_TRUE(observer_.wait_for_idle_after(20'000));
  EXPECT_EQ(observer_.payloads("news"), numbers(20'000));
}

TEST_F(RedisBusTest, CarriesAnyBytesInBothDirections) {
  RedisServer server;
  start(server.url());
  ASSERT_TRUE(subscribe_and_wait("news"));
  ASSERT_TRUE(wait_until_publishing());
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  const std::vector<std::string> payloads{bytes, "", "\r\n", "$5\r\n", std::string(2 << 20, 'x')};
  for (const std::string& payload : payloads) {
    const PublishResult result = publish_and_wait(*bus_, "news", payload);
    EXPECT_EQ(result.outcome, PublishOutcome::kDelivered) << result.detail;
    EXPECT_EQ(result.receivers, 1u);
  }
  ASSERT_TRUE(observer_.wait_for_idle_after(payloads.size()));
  EXPECT_EQ(observer_.payloads("news"), payloads);
}

TEST_F(RedisBusTest, PutsThePrefixBeforeChannelsOnTheRedisSideOnly) {
  RedisServer server;
  RedisBusOptions options = options_for(server.url());
  options.prefix = "app[1]*:";
  start(options, {"log.*"});
  ASSERT_TRUE(subscribe_and_wait("news"));
  ASSERT_TRUE(subscribe_and_wait("log.a"));
  ASSERT_TRUE(wait_until_publishing());
  server.pipeline({{"PUBLISH", "news", "no"}, {"PUBLISH", "log.a", "no"}, {"PUBLISH", "app1x:log.a", "no"}});
  server.pipeline({{"PUBLISH", "app[1]*:news", "1"}, {"PUBLISH", "app[1]*:log.a", "2"}});
  EXPECT_EQ(publish_and_wait(*bus_, "news", "3").receivers, 1u);
  ASSERT_TRUE(observer_.wait_for_messages(3));
  EXPECT_THAT(observer_.payloads("news"), ElementsAre("1", "3"));
  EXPECT_THAT(observer_.payloads("log.a"), ElementsAre("2"));
}

TEST_F(RedisBusTest, ReportsTooLargeMessagesAndGoesOn) {
  RedisServer server;
  RedisBusOptions options = options_for(server.url());
  options.limits.message_bytes_max = 1'000;
  start(options);
  ASSERT_TRUE(subscribe_and_wait("news"));
  server.pipeline(publishes("news", {std::string(1'000, 'a'), std::string(1'001, 'b'), "between",
                                     std::string(8 << 20, 'c'), "after"}));
  ASSERT_TRUE(observer_.wait_for_messages(3));
  EXPECT_THAT(observer_.payloads("news"), ElementsAre(std::string(1'000, 'a'), "between", "after"));
  EXPECT_THAT(observer_.lines(), ElementsAre("too-large news", "too-large news"));
}

// --- Subscriptions

TEST_F(RedisBusTest, DeliversNothingAfterUnsubscribe) {
  RedisServer server;
  start(server.url());
  ASSERT_TRUE(subscribe_and_wait("news"));
  bus_->unsubscribe("news");
  ASSERT_TRUE(subscribe_and_wait("other"));  // Answered after the UNSUBSCRIBE.
  EXPECT_EQ(server.subscribers("news"), "0");
  server.command({"PUBLISH", "news", "x"});
  server.command({"PUBLISH", "other", "y"});
  ASSERT_TRUE(observer_.wait_for_messages(1));
  EXPECT_THAT(observer_.payloads("news"), IsEmpty());
  EXPECT_EQ(bus_->state().wanted, 1u);
  EXPECT_EQ(bus_->state().acknowledged, 1u);
}

TEST_F(RedisBusTest, EndsUpWithWhatWasAskedForLastInAnyOrderOfSubscribeAndUnsubscribe) {
  RedisServer server;
  start(server.url());
  ASSERT_TRUE(subscribe_and_wait("first"));
  std::mt19937 random(7);
  std::set<std::string> wanted;
  for (int i = 0; i < 5'000; ++i) {
    const std::string channel = "c" + std::to_string(random() % 40);
    if (wanted.insert(channel).second) {
      bus_->subscribe(channel);
    } else {
      wanted.erase(channel);
      bus_->unsubscribe(channel);
    }
    // Now and then Redis answers in between.
    if (i % 500 == 0) {
      ASSERT_TRUE(subscribe_and_wait("barrier-" + std::to_string(i)));
    }
  }
  ASSERT_TRUE(subscribe_and_wait("last"));
  for (int i = 0; i < 40; ++i) {
    const std::string channel = "c" + std::to_string(i);
    EXPECT_EQ(server.subscribers(channel), wanted.contains(channel) ? "1" : "0") << channel;
  }
  EXPECT_EQ(bus_->state().acknowledged, bus_->state().wanted);
  EXPECT_EQ(bus_->state().wanted, wanted.size() + 12);
}

TEST_F(RedisBusTest, TellsSubscribedOnlyWhenMessagesReallyArrive) {
  RedisServer server;
  start(server.url());
  for (int i = 0; i < 300; ++i) {
    const std::string channel = "fresh" + std::to_string(i % 3);
    ASSERT_TRUE(subscribe_and_wait(channel));
    ASSERT_EQ(server.command({"PUBLISH", channel, std::to_string(i)}), "1");
    bus_->unsubscribe(channel);
  }
  ASSERT_TRUE(observer_.wait_for_messages(300));
}

TEST_F(RedisBusTest, AnswersASecondSubscribeOfTheSameChannel) {
  RedisServer server;
  start(server.url());
  ASSERT_TRUE(subscribe_and_wait("news"));
  ASSERT_TRUE(subscribe_and_wait("news"));
  EXPECT_EQ(bus_->state().wanted, 1u);
  server.command({"PUBLISH", "news", "once"});
  server.command({"PUBLISH", "news", "twice"});
  ASSERT_TRUE(observer_.wait_for_messages(2));
  EXPECT_THAT(observer_.payloads("news"), ElementsAre("once", "twice"));
}

TEST_F(RedisBusTest, SubscribesFiftyThousandChannelsAgainAfterALoss) {
  constexpr std::size_t kChannels = 50'000;
  RedisServer server;
  start(server.url());
  for (std::size_t i = 0; i < kChannels; ++i) bus_->subscribe("user:" + std::to_string(i));
  ASSERT_TRUE(observer_.wait_for_all_subscribed(kChannels));
  server.kill();
  ASSERT_TRUE(observer_.wait_for_line("lost"));
  server.start();
  ASSERT_TRUE(observer_.wait_for_all_subscribed(kChannels, 2));
  EXPECT_EQ(bus_->state().wanted, kChannels);
  EXPECT_EQ(bus_->state().acknowledged, kChannels);
  for (const char* channel : {"user:0", "user:25000", "user:49999"}) {
    EXPECT_EQ(server.command({"PUBLISH", channel, "x"}), "1") << channel;
  }
  ASSERT_TRUE(observer_.wait_for_messages(3));
  EXPECT_EQ(observer_.times_subscribed("user:25000"), 2);
}

TEST_F(RedisBusTest, RefusesOnlyTheChannelThatTheAclForbids) {
  RedisServer server;
  server.command({"ACL", "SETUSER", "limited", "on", ">pw", "~*", "resetchannels", "&ok*", "+@all"});
  start("redis://limited:pw@127.0.0.1:" + std::to_string(server.port()));
  for (int i = 0; i < 700; ++i) bus_->subscribe(i == 350 ? "forbidden" : "ok" + std::to_string(i));
  ASSERT_TRUE(observer_.wait_for_all_subscribed(699));
  EXPECT_TRUE(poll([&] { return !observer_.lines().empty(); }));
  EXPECT_THAT(observer_.lines(), ElementsAre(StartsWith("refused forbidden: NOPERM")));
  EXPECT_EQ(observer_.times_subscribed("forbidden"), 0);
  EXPECT_EQ(bus_->state().wanted, 699u);
  EXPECT_EQ(server.command({"PUBLISH", "ok699", "x"}), "1");
  ASSERT_TRUE(observer_.wait_for_messages(1));
}

// --- Recording

TEST_F(RedisBusTest, PassesEachMessageOfARecordedChannelOnOnce) {
  RedisServer server;
  start(options_for(server.url()), {"log.*", "news", "log.a*", "n*"});
  bus_->subscribe("log.abc");
  bus_->subscribe("news");
  bus_->subscribe("other");
  for (const char* channel : {"log.abc", "news", "other"})
    ASSERT_TRUE(observer_.wait_for_subscribed(channel));
  ASSERT_TRUE(observer_.wait_for_line("recording n*"));
  EXPECT_THAT(observer_.lines(),
              ElementsAre("recording log.*", "recording news", "recording log.a*", "recording n*"));
  server.pipeline({{"PUBLISH", "log.abc", "1"},
                   {"PUBLISH", "news", "2"},
                   {"PUBLISH", "next", "3"},
                   {"PUBLISH", "other", "4"},
                   {"PUBLISH", "unwanted", "5"},
                   {"PUBLISH", "other", "6"}});
  ASSERT_TRUE(observer_.wait_for_messages(5));
  EXPECT_THAT(observer_.messages(),
              ElementsAre(BusObserver::Message{"log.abc", "1"}, BusObserver::Message{"news", "2"},
                          BusObserver::Message{"next", "3"}, BusObserver::Message{"other", "4"},
                          BusObserver::Message{"other", "6"}));
  EXPECT_EQ(bus_->state().wanted, 7u);
  EXPECT_EQ(bus_->state().acknowledged, 7u);
  EXPECT_EQ(server.subscribers("log.abc"), "0") << "a covered channel is not subscribed by name as well";
}

TEST_F(RedisBusTest, IgnoresRecordedNamesThatAreNoChannels) {
  RedisServer server;
  start(options_for(server.url()), {"*"});
  ASSERT_TRUE(observer_.wait_for_line("recording *"));
  server.pipeline({{"PUBLISH", "__keyspace@0__:x", "no"},
                   {"PUBLISH", "with space", "no"},
                   {"PUBLISH", "weir:own", "no"},
                   {"PUBLISH", "", "no"},
                   {"PUBLISH", std::string(129, 'x'), "no"},
                   {"PUBLISH", std::string(1 << 20, 'x'), "no"},
                   {"PUBLISH", "news", "yes"}});
  ASSERT_TRUE(observer_.wait_for_messages(1));
  EXPECT_THAT(observer_.messages(), ElementsAre(BusObserver::Message{"news", "yes"}));
  EXPECT_THAT(observer_.lines(), ElementsAre("recording *"));
}

TEST_F(RedisBusTest, GivesOnlyTheStarAMeaningInPatterns) {
  RedisServer server;
  start(options_for(server.url()), {"n?ws*", "n[e]ws*", "other*"});
  ASSERT_TRUE(observer_.wait_for_line("recording other*"));
  server.pipeline({{"PUBLISH", "news1", "no"}, {"PUBLISH", "other1", "yes"}});
  ASSERT_TRUE(observer_.wait_for_messages(1));
  EXPECT_THAT(observer_.messages(), ElementsAre(BusObserver::Message{"other1", "yes"}));
}

TEST_F(RedisBusTest, RecordsAgainAfterALoss) {
  RedisServer server;
  start(options_for(server.url()), {"log.*"});
  ASSERT_TRUE(subscribe_and_wait("log.a"));
  server.kill();
  ASSERT_TRUE(observer_.wait_for_line("lost"));
  bus_->subscribe("log.b");  // Waits for the pattern.
  server.start();
  ASSERT_TRUE(observer_.wait_for_line("recording log.*", 2));
  ASSERT_TRUE(observer_.wait_for_subscribed("log.a", 2));
  ASSERT_TRUE(observer_.wait_for_subscribed("log.b", 1));
  EXPECT_EQ(server.command({"PUBLISH", "log.a", "x"}), "1");
  ASSERT_TRUE(observer_.wait_for_messages(1));
}

// The acknowledgement of a pattern, and the first message of a channel that it covers, in one piece.
TEST_F(RedisBusTest, TellsOfARecordedChannelsAcknowledgementBeforeItsMessages) {
  ScriptedRedis server;
  const std::string acknowledgement = "*3\r\n$10\r\npsubscribe\r\n$1\r\n*\r\n:1\r\n";
  const auto message = [](const std::string& payload) {
    return "*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$4\r\nnews\r\n$1\r\n" + payload + "\r\n";
  };
  start(options_for(server.url()), {"*"});
  bus_->subscribe("news");
  server.accept_subscriber();
  server.say(acknowledgement + message("1"));
  ASSERT_TRUE(observer_.wait_for_messages(1));
  server.cut();
  server.accept_subscriber();
  server.say(acknowledgement + message("2") + message("3"));
  ASSERT_TRUE(observer_.wait_for_messages(3));
  EXPECT_THAT(observer_.order_of("news"), ElementsAre("subscribed", "1", "lost", "subscribed", "2", "3"));
  bus_->stop();
}

TEST_F(RedisBusTest, SubscribesByNameWhatARefusedPatternWouldHaveCovered) {
  RedisServer server;
  server.command({"ACL", "SETUSER", "limited", "on", ">pw", "~*", "resetchannels", "&log.a", "+@all"});
  start(options_for("redis://limited:pw@127.0.0.1:" + std::to_string(server.port())), {"log.*"});
  ASSERT_TRUE(subscribe_and_wait("log.a"));
  EXPECT_THAT(observer_.lines(), ElementsAre(StartsWith("refused log.*: NOPERM")));
  EXPECT_EQ(server.command({"PUBLISH", "log.a", "x"}), "1");
  ASSERT_TRUE(observer_.wait_for_messages(1));
}

// --- Losses

TEST_F(RedisBusTest, ComesBackAfterRedisWasKilledAndStarted) {
  RedisServer server;
  start(server.url());
  ASSERT_TRUE(subscribe_and_wait("news"));
  ASSERT_TRUE(wait_until_publishing());
  server.kill();
  ASSERT_TRUE(observer_.wait_for_line("lost"));
  ASSERT_TRUE(poll([&] { return !bus_->state().is_connected; }));
  EXPECT_TRUE(bus_->state().was_ever_connected);
  EXPECT_EQ(bus_->state().acknowledged, 0u);
  ASSERT_TRUE(
      poll([&] { return publish_and_wait(*bus_, "news", "lost").outcome == PublishOutcome::kUnavailable; }));
  bus_->subscribe("while-away");
  bus_->subscribe("changed-its-mind");
  bus_->unsubscribe("changed-its-mind");
  server.start();
  ASSERT_TRUE(observer_.wait_for_subscribed("news", 2));
  ASSERT_TRUE(observer_.wait_for_subscribed("while-away"));
  EXPECT_THAT(observer_.lines(), ElementsAre("lost"));
  EXPECT_EQ(server.subscribers("changed-its-mind"), "0");
  EXPECT_EQ(bus_->state().reconnects, 1u);
  EXPECT_EQ(bus_->state().wanted, 2u);
  ASSERT_TRUE(wait_until_publishing());
  EXPECT_TRUE(bus_->state().is_connected);
  EXPECT_EQ(publish_and_wait(*bus_, "news", "back").receivers, 1u);
  ASSERT_TRUE(observer_.wait_for_messages(1));
  EXPECT_THAT(observer_.payloads("news"), ElementsAre("back"));
}

TEST_F(RedisBusTest, SaysThatItIsAwayBeforeWhatIsLostAndThatItIsBackBeforeWhatComesAgain) {
  RedisServer server;
  start(server.url());
  ASSERT_TRUE(subscribe_and_wait("news"));
  EXPECT_TRUE(bus_->state().is_receiving);
  server.kill();
  ASSERT_TRUE(observer_.wait_for_state("lost"));
  EXPECT_FALSE(bus_->state().is_receiving);
  server.start();
  ASSERT_TRUE(observer_.wait_for_subscribed("news", 2));
  EXPECT_THAT(observer_.states(), ElementsAre("up", "subscribed", "down", "lost", "up", "subscribed"));
}

TEST_F(RedisBusTest, SaysThatItIsAwayAlsoWhereNothingIsSubscribed) {
  RedisServer server;
  start(server.url());
  EXPECT_FALSE(make_redis_bus(options_for(server.url()), observer_)->state().is_receiving);
  ASSERT_TRUE(observer_.wait_for_state("up"));
  server.kill();
  ASSERT_TRUE(observer_.wait_for_state("down"));
  server.start();
  ASSERT_TRUE(observer_.wait_for_state("up"));
  EXPECT_THAT(observer_.states(), ElementsAre("up", "down", "up"));
}

TEST_F(RedisBusTest, WaitsForARedisThatStartsLater) {
  RedisServer server({.is_started = false});
  start(server.url());
  bus_->subscribe("news");
  EXPECT_EQ(publish_and_wait(*bus_, "news", "too early").outcome, PublishOutcome::kUnavailable);
  EXPECT_FALSE(bus_->state().was_ever_connected);
  server.start();
  ASSERT_TRUE(observer_.wait_for_subscribed("news"));
  ASSERT_TRUE(wait_until_publishing());
  EXPECT_TRUE(bus_->state().was_ever_connected);
  EXPECT_THAT(observer_.lines(), IsEmpty()) << "nothing was lost that had never been there";
}

TEST_F(RedisBusTest, KeepsItsSubscriptionsThroughManyQuickCuts) {
  RedisServer server;
  start(server.url());
  for (int i = 0; i < 200; ++i) bus_->subscribe("c" + std::to_string(i));
  ASSERT_TRUE(observer_.wait_for_all_subscribed(200));
  int cuts = 0;
  ASSERT_TRUE(poll([&] {
    cuts += server.command({"CLIENT", "KILL", "TYPE", "pubsub"}) != "0";
    return cuts == 20;
  }));
  // The last cut is behind us when as many losses were seen: all that is acknowledged came after it.
  ASSERT_TRUE(poll([&] { return bus_->state().reconnects >= 20u && bus_->state().acknowledged == 200u; }));
  for (int i = 0; i < 200; ++i) EXPECT_EQ(server.subscribers("c" + std::to_string(i)), "1");
  EXPECT_EQ(bus_->state().wanted, 200u);
  EXPECT_THAT(observer_.lines(), Each(std::string("lost")));
}

TEST_F(RedisBusTest, NoticesThatRedisHangs) {
  RedisServer server;
  RedisBusOptions options = options_for(server.url());
  options.ping_interval = std::chrono::milliseconds(50);
  options.answer_timeout = std::chrono::milliseconds(1'000);
  start(options);
  ASSERT_TRUE(subscribe_and_wait("news"));
  ASSERT_TRUE(wait_until_publishing());
  server.pause();
  ASSERT_TRUE(observer_.wait_for_line("lost"));
  ASSERT_TRUE(poll([&] { return !bus_->state().is_connected; }));
  server.resume();
  ASSERT_TRUE(observer_.wait_for_subscribed("news", 2));
  ASSERT_TRUE(wait_until_publishing());
}

TEST_F(RedisBusTest, StaysConnectedWhileItIsAnsweredThoughNothingElseHappens) {
  RedisServer server;
  RedisBusOptions options = options_for(server.url());
  options.ping_interval = std::chrono::milliseconds(1);
  start(options, {"log.*"});
  ASSERT_TRUE(subscribe_and_wait("news"));
  // Both connections have asked a few times: the subscriber in its own way of answering.
  ASSERT_TRUE(poll([&] {
    const std::string stats = server.command({"INFO", "commandstats"});
    const std::size_t at = stats.find("cmdstat_ping:calls=");
    return at != std::string::npos && std::stoi(stats.substr(at + 19)) > 100;
  }));
  EXPECT_EQ(bus_->state().reconnects, 0u);
  EXPECT_THAT(observer_.lines(), Not(Contains("lost")));
}

TEST_F(RedisBusTest, ObservesTheRoundTripsOfBothConnections) {
  RedisServer server;
  RedisBusOptions options = options_for(server.url());
  options.ping_interval = std::chrono::milliseconds(5);
  start(options, {});
  ASSERT_TRUE(subscribe_and_wait("news"));
  ASSERT_TRUE(wait_until_publishing());
  Metrics metrics;
  metrics.add_source([&](MetricsPage& page) { bus_->collect(page); });
  const auto observed = [&](const std::string& connection) {
    const std::string page = metrics.render();
    const std::string name = "weir_redis_round_trip_seconds_count{connection=\"" + connection + "\"} ";
    return std::stoul(page.substr(page.find(name) + name.size()));
  };
  ASSERT_TRUE(poll([&] { return observed("subscriber") >= 2; }));
  const auto before = observed("publisher");
  for (int i = 0; i < 10; ++i) publish_and_wait(*bus_, "news", "x");
  EXPECT_GE(observed("publisher"), before + 10);
}

// A socket that listens on a free port of 127.0.0.1, which goes to `port`.
int listen_anywhere(std::uint16_t& port) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  const timeval deadline{60, 0};
  EXPECT_EQ(::setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline)), 0);
  EXPECT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::listen(listener, 16), 0);
  EXPECT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  port = ntohs(address.sin_port);
  return listener;
}

TEST_F(RedisBusTest, HoldsNoMoreOfAnAnswerThanALargestMessage) {
  std::uint16_t port = 0;
  const int listener = listen_anywhere(port);
  RedisBusOptions options = options_for("redis://127.0.0.1:" + std::to_string(port));
  options.limits.message_bytes_max = 1'000;
  options.answer_timeout = std::chrono::minutes(5);
  start(options);
  const int server = ::accept(listener, nullptr, nullptr);
  ASSERT_GE(server, 0);
  ASSERT_EQ(::send(server, "+", 1, MSG_NOSIGNAL), 1);
  const std::string more(1 << 20, 'x');
  // What the sockets of both ends hold is a few megabytes.
  constexpr int kMegabytesMax = 64;
  int megabytes = 0;
  while (megabytes<kMegabytesMax&& ::send(server, more.data(), more.size(), MSG_NOSIGNAL)> 0) {
    ++megabytes;
  }
  EXPECT_LT(megabytes, kMegabytesMax) << "It was not cut.";
  bus_->stop();
  ::close(server);
  ::close(listener);
}

// A channel that was given up counts until Redis has answered for it.
TEST_F(RedisBusTest, CountsTheChannelsThatItHolds) {
  RedisServer server;
  RedisBusOptions options = options_for(server.url());
  options.answer_timeout = std::chrono::minutes(5);
  start(options);
  ASSERT_TRUE(subscribe_and_wait("a"));
  ASSERT_TRUE(subscribe_and_wait("b"));
  EXPECT_EQ(bus_->state().subscriptions_held, 2u);
  server.pause();
  for (int i = 0; i < 100; ++i) {
    bus_->subscribe("x" + std::to_string(i));
    bus_->unsubscribe("x" + std::to_string(i));
  }
  bus_->unsubscribe("a");
  EXPECT_GE(bus_->state().subscriptions_held, 2u);
  server.resume();
  EXPECT_TRUE(poll([&] { return bus_->state().subscriptions_held == 1; }));
}

TEST_F(RedisBusTest, GivesUpAServerThatAcceptsAndSaysNothing) {
  std::uint16_t port = 0;
  const int listener = listen_anywhere(port);
  RedisBusOptions options = options_for("redis://127.0.0.1:" + std::to_string(port));
  options.answer_timeout = std::chrono::milliseconds(20);
  start(options);
  // Two connections, and each tries again.
  std::vector<int> accepted;
  for (int i = 0; i < 6; ++i) accepted.push_back(::accept(listener, nullptr, nullptr));
  EXPECT_THAT(accepted, Not(Contains(-1)));
  EXPECT_FALSE(bus_->state().was_ever_connected);
  bus_->stop();
  for (const int fd : accepted) ::close(fd);
  ::close(listener);
}

TEST_F(RedisBusTest, SurvivesBeingCutForReadingTooSlowly) {
  RedisServer server;
  server.command({"CONFIG", "SET", "client-output-buffer-limit", "pubsub 1mb 1mb 0"});
  start(server.url());
  ASSERT_TRUE(subscribe_and_wait("news"));
  ASSERT_TRUE(wait_until_publishing());
  // Nothing is read while the bus thread is held inside of a completion.
  std::promise<void> release;
  std::promise<void> held;
  bus_->publish("elsewhere", "", [&](PublishResult) {
    held.set_value();
    release.get_future().wait();
  });
  held.get_future().wait();
  const std::string large(1 << 20, 'x');
  const bool is_cut = poll([&] { return server.command({"PUBLISH", "news", large}) == "0"; });
  release.set_value();
  ASSERT_TRUE(is_cut);
  ASSERT_TRUE(observer_.wait_for_line("lost"));
  ASSERT_TRUE(observer_.wait_for_subscribed("news", 2));
  EXPECT_EQ(server.command({"PUBLISH", "news", "again"}), "1");
  ASSERT_TRUE(poll([&] {
    const auto payloads = observer_.payloads("news");
    return !payloads.empty() && payloads.back() == "again";
  }));
}

TEST_F(RedisBusTest, DoesNotCountAReplicaWithoutItsMasterAsConnected) {
  RedisServer server({.arguments = {"--replica-serve-stale-data", "no"}});
  server.command({"REPLICAOF", "127.0.0.1", "1"});
  start(server.url());
  bus_->subscribe("news");
  // It was refused a few times: MASTERDOWN.
  ASSERT_TRUE(poll([&] {
    const std::string stats = server.command({"INFO", "errorstats"});
    const std::size_t at = stats.find("errorstat_MASTERDOWN:count=");
    return at != std::string::npos && std::stoi(stats.substr(at + 27)) > 5;
  }));
  EXPECT_FALSE(bus_->state().was_ever_connected);
  EXPECT_EQ(observer_.times_subscribed("news"), 0);
  server.command({"REPLICAOF", "NO", "ONE"});
  ASSERT_TRUE(observer_.wait_for_subscribed("news"));
}

// --- Connecting

TEST_F(RedisBusTest, SpeaksOverAUnixSocket) {
  RedisServer server({.has_unix_socket = true});
  start(server.unix_url());
  ASSERT_TRUE(subscribe_and_wait("news"));
  ASSERT_TRUE(wait_until_publishing());
  EXPECT_EQ(publish_and_wait(*bus_, "news", "x").receivers, 1u);
  ASSERT_TRUE(observer_.wait_for_messages(1));
}

TEST_F(RedisBusTest, ResolvesNamesAndSelectsADatabase) {
  RedisServer server;
  start("redis://localhost:" + std::to_string(server.port()) + "/3");
  ASSERT_TRUE(subscribe_and_wait("news"));
  EXPECT_THAT(server.command({"CLIENT", "LIST", "TYPE", "pubsub"}), HasSubstr(" db=3 "));
}

TEST_F(RedisBusTest, LogsInWithThePasswordAndKeepsTryingUntilItIsRight) {
  RedisServer server({.password = "right"});
  start("redis://:wrong@127.0.0.1:" + std::to_string(server.port()));
  bus_->subscribe("news");
  ASSERT_TRUE(poll([&] {
    const std::string stats = server.command({"INFO", "errorstats"});
    const std::size_t at = stats.find("errorstat_WRONGPASS:count=");
    return at != std::string::npos && std::stoi(stats.substr(at + 26)) > 5;
  }));
  EXPECT_FALSE(bus_->state().was_ever_connected);
  server.command({"ACL", "SETUSER", "default", ">wrong"});
  ASSERT_TRUE(observer_.wait_for_subscribed("news"));
}

TEST_F(RedisBusTest, LogsInAsAUser) {
  RedisServer server;
  server.command({"ACL", "SETUSER", "app", "on", ">p@ss", "~*", "&*", "+@all"});
  start("redis://app:p%40ss@127.0.0.1:" + std::to_string(server.port()));
  ASSERT_TRUE(subscribe_and_wait("news"));
  EXPECT_THAT(server.command({"CLIENT", "LIST", "TYPE", "pubsub"}), HasSubstr(" user=app "));
}

TEST_F(RedisBusTest, NeedsNoPermissionButSubscribeAndPublish) {
  RedisServer server;
  server.command({"ACL", "SETUSER", "app", "on", ">pw", "&*", "+subscribe", "+unsubscribe", "+publish"});
  RedisBusOptions options = options_for("redis://app:pw@127.0.0.1:" + std::to_string(server.port()));
  options.ping_interval = std::chrono::milliseconds(1);
  start(options);
  ASSERT_TRUE(subscribe_and_wait("news"));
  ASSERT_TRUE(wait_until_publishing());
  EXPECT_EQ(publish_and_wait(*bus_, "news", "x").receivers, 1u);
  EXPECT_EQ(bus_->state().reconnects, 0u);
}

// --- Publishing

TEST_F(RedisBusTest, PublishesInOrderAndTellsTheReceivers) {
  RedisServer server;
  start(server.url());
  ASSERT_TRUE(subscribe_and_wait("news"));
  ASSERT_TRUE(wait_until_publishing());
  PublishResults results;
  for (const std::string& text : numbers(5'000)) bus_->publish("news", text, results.collect());
  for (const PublishResult& result : results.wait_for(5'000)) {
    EXPECT_EQ(result.outcome, PublishOutcome::kDelivered);
    EXPECT_EQ(result.receivers, 1u);
  }
  ASSERT_TRUE(observer_.wait_for_messages(5'000));
  EXPECT_EQ(observer_.payloads("news"), numbers(5'000));
  EXPECT_EQ(bus_->state().publishes_waiting, 0u);
  EXPECT_EQ(publish_and_wait(*bus_, "nobody", "x").receivers, 0u);
}

TEST_F(RedisBusTest, IsRefusedAPublishThatTheAclForbids) {
  RedisServer server;
  server.command(
      {"ACL", "SETUSER", "limited", "on", ">pw", "~*", "resetchannels", "&are-you-there", "+@all"});
  start("redis://limited:pw@127.0.0.1:" + std::to_string(server.port()));
  ASSERT_TRUE(wait_until_publishing());
  const PublishResult result = publish_and_wait(*bus_, "forbidden", "x");
  EXPECT_EQ(result.outcome, PublishOutcome::kForbidden);
  EXPECT_THAT(result.detail, StartsWith("NOPERM"));
  EXPECT_EQ(publish_and_wait(*bus_, "are-you-there", "x").outcome, PublishOutcome::kDelivered);
}

TEST_F(RedisBusTest, IsUnavailableWhileAScriptKeepsRedisBusy) {
  RedisServer server;
  start(server.url());
  ASSERT_TRUE(wait_until_publishing());
  server.command({"CONFIG", "SET", "busy-reply-threshold", "1"});
  std::thread script([&] { server.command({"EVAL", "while true do end", "0"}); });
  while (!server.command({"PING"}).starts_with("-BUSY")) {
  }
  const PublishResult busy = publish_and_wait(*bus_, "news", "x");
  EXPECT_EQ(busy.outcome, PublishOutcome::kUnavailable);
  EXPECT_THAT(busy.detail, StartsWith("BUSY"));
  server.command({"SCRIPT", "KILL"});
  script.join();
  ASSERT_TRUE(wait_until_publishing());
  EXPECT_EQ(publish_and_wait(*bus_, "news", "x").outcome, PublishOutcome::kDelivered);
}

TEST_F(RedisBusTest, AMessageThatRedisFindsTooLargeLeavesNoOtherUnknown) {
  RedisServer server;
  server.command({"CONFIG", "SET", "proto-max-bulk-len", "1048576"});
  RedisBusOptions options = options_for(server.url());
  options.limits.message_bytes_max = 64 << 20;
  start(options);
  ASSERT_TRUE(wait_until_publishing());
  PublishResults results;
  bus_->publish("news", "before", results.collect());
  // Far more than sockets hold: Redis closes in the middle of it, and the write fails before the answer is read.
  bus_->publish("news", std::string(48 << 20, 'x'), results.collect());
  bus_->publish("news", "behind", results.collect());
  const auto all = results.wait_for(3);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].outcome, PublishOutcome::kDelivered);
  EXPECT_EQ(all[1].outcome, PublishOutcome::kTooLarge) << all[1].detail;
  // Delivered, if this thread was so late that there was a new connection.
  EXPECT_THAT(all[2].outcome, AnyOf(PublishOutcome::kUnavailable, PublishOutcome::kDelivered))
      << all[2].detail;
  ASSERT_TRUE(wait_until_publishing());
  EXPECT_EQ(publish_and_wait(*bus_, "news", "x").outcome, PublishOutcome::kDelivered);
}

TEST_F(RedisBusTest, RefusesToPublishATooLargeMessage) {
  RedisServer server;
  RedisBusOptions options = options_for(server.url());
  options.limits.message_bytes_max = 10;
  start(options);
  ASSERT_TRUE(wait_until_publishing());
  EXPECT_EQ(publish_and_wait(*bus_, "news", std::string(11, 'x')).outcome, PublishOutcome::kRefused);
  EXPECT_EQ(publish_and_wait(*bus_, "news", std::string(10, 'x')).outcome, PublishOutcome::kDelivered);
}

TEST_F(RedisBusTest, DoesNotKnowTheOutcomeWhenRedisDoesNotAnswerInTime) {
  RedisServer server;
  RedisBusOptions options = options_for(server.url());
  options.publish_timeout = std::chrono::milliseconds(1'000);
  start(options);
  ASSERT_TRUE(wait_until_publishing());
  server.pause();
  PublishResults results;
  bus_->publish("news", "1", results.collect());
  bus_->publish("news", "2", results.collect());
  const auto all = results.wait_for(2);
  server.resume();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].outcome, PublishOutcome::kUnknown);
  EXPECT_EQ(all[1].outcome, PublishOutcome::kUnknown);
  ASSERT_TRUE(wait_until_publishing());
  EXPECT_EQ(bus_->state().publishes_waiting, 0u);
}

TEST_F(RedisBusTest, DoesNotKnowTheOutcomeWhenTheConnectionIsLostMeanwhile) {
  RedisServer server;
  start(server.url());
  ASSERT_TRUE(wait_until_publishing());
  server.pause();
  PublishResults results;
  for (int i = 0; i < 10; ++i) bus_->publish("news", "x", results.collect());
  server.kill();
  // Those that the bus thread had not sent yet find Redis away.
  const auto all = results.wait_for(10);
  ASSERT_EQ(all.size(), 10u);
  for (const PublishResult& result : all) {
    EXPECT_THAT(result.outcome, AnyOf(PublishOutcome::kUnknown, PublishOutcome::kUnavailable));
  }
}

TEST_F(RedisBusTest, IsUnavailableWhileTooManyPublishesWait) {
  RedisServer server;
  RedisBusOptions options = options_for(server.url());
  options.limits.publishes_waiting_max = 100;
  options.publish_timeout = std::chrono::minutes(5);
  start(options);
  ASSERT_TRUE(wait_until_publishing());
  server.pause();
  PublishResults waiting;
  PublishResults refused;
  for (int i = 0; i < 100; ++i) bus_->publish("news", "x", waiting.collect());
  for (int i = 0; i < 3; ++i) bus_->publish("news", "x", refused.collect());
  const auto too_many = refused.wait_for(3);
  EXPECT_EQ(bus_->state().publishes_waiting, 100u);
  server.resume();
  ASSERT_EQ(too_many.size(), 3u);
  for (const auto& result : too_many) EXPECT_EQ(result.outcome, PublishOutcome::kUnavailable);
  for (const auto& result : waiting.wait_for(100)) EXPECT_EQ(result.outcome, PublishOutcome::kDelivered);
  EXPECT_EQ(bus_->state().publishes_waiting, 0u);
}

TEST_F(RedisBusTest, CompletesEveryPublishWhenItIsStopped) {
  RedisServer server;
  start(server.url());
  ASSERT_TRUE(wait_until_publishing());
  server.pause();
  PublishResults results;
  for (int i = 0; i < 100; ++i) bus_->publish("news", "x", results.collect());
  bus_->stop();
  bus_->publish("news", "too late", results.collect());
  const auto all = results.wait_for(101);
  ASSERT_EQ(all.size(), 101u);
  for (const auto& result : all) {
    EXPECT_THAT(result.outcome, AnyOf(PublishOutcome::kUnknown, PublishOutcome::kUnavailable));
  }
  EXPECT_EQ(all.back().outcome, PublishOutcome::kUnavailable);
  EXPECT_EQ(bus_->state().publishes_waiting, 0u);
}

TEST_F(RedisBusTest, TakesPublishesAndSubscriptionsFromManyThreads) {
  RedisServer server;
  start(server.url());
  ASSERT_TRUE(wait_until_publishing());
  constexpr int kThreads = 4;
  constexpr int kEach = 1'000;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    const std::string channel = "c" + std::to_string(t);
    ASSERT_TRUE(subscribe_and_wait(channel));
    threads.emplace_back([this, channel] {
      for (const std::string& text : numbers(kEach)) {
        bus_->subscribe(channel + "." + text);
        bus_->publish(channel, text, [](PublishResult) {});
        bus_->unsubscribe(channel + "." + text);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(observer_.wait_for_messages(kThreads * kEach));
  for (int t = 0; t < kThreads; ++t) EXPECT_EQ(observer_.payloads("c" + std::to_string(t)), numbers(kEach));
}

}  // namespace
}  // namespace weir
