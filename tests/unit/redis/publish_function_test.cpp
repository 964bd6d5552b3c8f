// weir_publish (redis/weir.lua) in a real redis-server.
#include "redis/publish_function.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/redis_server.h"

namespace weir {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;
using Words = RedisServer::Words;

std::string birth_of(const std::string& id) { return id.substr(0, id.find('-')); }
std::string ordinal_of(const std::string& id) { return id.substr(id.find('-') + 1); }

bool poll(const std::function<bool()>& is_true) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (std::chrono::steady_clock::now() < deadline) {
    if (is_true()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return false;
}

class PublishFunction : public ::testing::Test {
 protected:
  static RedisServer::Options with(Words arguments) { return {.arguments = std::move(arguments)}; }
  static std::string load(const RedisServer& server) {
    return server.command({"FUNCTION", "LOAD", "REPLACE", std::string(kPublishFunction)});
  }
  // weir_publish with `key` declared.
  static std::string publish(const RedisServer& server, const std::string& key, Words arguments = {"x"}) {
    Words words{"FCALL", "weir_publish", "1", key};
    words.insert(words.end(), arguments.begin(), arguments.end());
    return server.command(words);
  }
  static std::uint64_t calls(const RedisServer& server, const std::string& command) {
    const std::string stats = server.command({"INFO", "commandstats"});
    const std::string before = "cmdstat_" + command + ":calls=";
    const std::size_t at = stats.find(before);
    return at == std::string::npos ? 0 : std::stoull(stats.substr(at + before.size()));
  }
  static void follow(const RedisServer& replica, const RedisServer& master) {
    replica.command({"REPLICAOF", "127.0.0.1", std::to_string(master.port())});
    ASSERT_TRUE(poll([&] {
      return replica.command({"INFO", "replication"}).find("master_link_status:up") != std::string::npos;
    }));
  }
};

TEST_F(PublishFunction, HasTheVersionThatItsDescriptionTells) {
  RedisServer server;
  EXPECT_EQ(load(server), "weir");
  EXPECT_THAT(server.command({"FUNCTION", "LIST"}),
              HasSubstr("weir " + std::to_string(kPublishFunctionVersion)));
  EXPECT_EQ(publish_function_version("weir 12"), 12u);
  for (const char* other : {"", "weir", "weir ", "weir x", "weir 1x", "weir -1", " weir 1"}) {
    EXPECT_EQ(publish_function_version(other), 0u) << other;
  }
  EXPECT_TRUE(is_function_missing(server.command({"FCALL", "weir_other", "0"}).substr(1)));
}

TEST_F(PublishFunction, CountsByOnesUnderOneBirthInEitherForm) {
  RedisServer server;
  load(server);
  const std::string first = publish(server, "news", {"a"});
  EXPECT_THAT(first, MatchesRegex("[1-9][0-9]{18}-1"));
  EXPECT_EQ(publish(server, "weir:{news}", {"b"}), birth_of(first) + "-2");
  EXPECT_EQ(publish(server, "news", {"c", "", "", "", "verbose"}), birth_of(first) + "-3 0");
  EXPECT_THAT(server.command({"XRANGE", "weir:{news}", "-", "+", "COUNT", "1"}),
              MatchesRegex(first + " p a t [1-9][0-9]{12}"));
  EXPECT_THAT(publish(server, "other"), MatchesRegex("[1-9][0-9]{18}-1"));
}

TEST_F(PublishFunction, GivesNoIdTwiceThoughTheStreamIsMadeAnewAtOnce) {
  RedisServer server;
  load(server);
  std::vector<Words> commands;
  for (int i = 0; i < 300; ++i) {
    commands.push_back({"FCALL", "weir_publish", "1", i % 2 == 0 ? "news" : "weir:{news}", "x"});
    commands.push_back({"DEL", "weir:{news}"});
  }
  const auto replies = server.pipeline(commands);
  std::string last;
  for (std::size_t i = 0; i < replies.size(); i += 2) {
    EXPECT_GT(birth_of(replies[i]), last);
    EXPECT_EQ(ordinal_of(replies[i]), "1");
    last = birth_of(replies[i]);
  }
}

TEST_F(PublishFunction, AnotherProcessGoesOnUnderAGreaterBirth) {
  RedisServer server(with({"--appendonly", "yes", "--appendfsync", "always"}));
  load(server);
  std::set<std::string> births;
  for (int i = 1; i <= 6; i += 2) {
    const std::string id = publish(server, "news");
    EXPECT_EQ(ordinal_of(id), std::to_string(i));
    EXPECT_EQ(publish(server, "news"), birth_of(id) + "-" + std::to_string(i + 1));
    EXPECT_TRUE(births.empty() || birth_of(id) > *births.rbegin()) << id;
    births.insert(birth_of(id));
    server.kill();
    server.start();
  }
  EXPECT_EQ(births.size(), 3u);
  EXPECT_EQ(server.command({"XLEN", "weir:{news}"}), "6");
}

TEST_F(PublishFunction, TheBirthGrowsThoughTheClockWentBack) {
  RedisServer server;
  load(server);
  server.command({"XADD", "weir:{news}", "9000000000000000001-7", "p", "x", "t", "9000000000000"});
  const std::string id = publish(server, "news");
  EXPECT_THAT(id, MatchesRegex("9000000000001[0-9]{6}-8"));
  EXPECT_EQ(publish(server, "news"), birth_of(id) + "-9");
}

TEST_F(PublishFunction, APromotedReplicaGivesNoIdOfTheMessagesThatItHasNotSeen) {
  RedisServer master(with({"--repl-diskless-sync-delay", "0"}));
  RedisServer replica(with({"--repl-diskless-sync-delay", "0"}));
  load(master);
  std::set<std::string> ids{publish(master, "news"), publish(master, "news")};
  follow(replica, master);
  replica.command({"REPLICAOF", "NO", "ONE"});
  for (int i = 3; i <= 5; ++i) ids.insert(publish(master, "news"));  // It alone has these.
  for (int i = 3; i <= 6; ++i) {
    const std::string id = publish(replica, "news");
    EXPECT_EQ(ordinal_of(id), std::to_string(i));
    EXPECT_TRUE(ids.insert(id).second) << id;
  }
  EXPECT_EQ(ids.size(), 9u);
  EXPECT_EQ(replica.command({"XLEN", "weir:{news}"}), "6");
}

TEST_F(PublishFunction, AMasterThatWasAReplicaForAWhileGivesNoIdOfTheMessagesThatItLost) {
  RedisServer master(with({"--repl-diskless-sync-delay", "0"}));
  RedisServer replica(with({"--repl-diskless-sync-delay", "0"}));
  load(master);
  publish(master, "news");
  follow(replica, master);
  replica.command({"REPLICAOF", "NO", "ONE"});
  const std::string lost = publish(master, "news");
  follow(master, replica);
  master.command({"REPLICAOF", "NO", "ONE"});
  const std::string next = publish(master, "news");
  EXPECT_EQ(ordinal_of(next), ordinal_of(lost));
  EXPECT_GT(birth_of(next), birth_of(lost));
}

TEST_F(PublishFunction, RefusesWhatItCanNotDoAndLeavesNothingBehind) {
  RedisServer server;
  load(server);
  const std::vector<Words> refused{
      {"FCALL", "weir_publish", "0"},
      {"FCALL", "weir_publish", "2", "a", "b", "x"},
      {"FCALL", "weir_publish", "1", "a"},
      {"FCALL", "weir_publish", "1", "", "x"},
      {"FCALL", "weir_publish", "1", "weir:{}", "x"},
      {"FCALL", "weir_publish", "1", "{a}", "x"},
      {"FCALL", "weir_publish", "1", "a}b", "x"},
      {"FCALL", "weir_publish", "1", "weir:{a}b}", "x"},
      {"FCALL", "weir_publish", "1", "weir:{{a}", "x"},
      {"FCALL", "weir_publish", "1", "a", "x", "0"},
      {"FCALL", "weir_publish", "1", "a", "x", "-1"},
      {"FCALL", "weir_publish", "1", "a", "x", "1.5"},
      {"FCALL", "weir_publish", "1", "a", "x", "1e3"},
      {"FCALL", "weir_publish", "1", "a", "x", " 1"},
      {"FCALL", "weir_publish", "1", "a", "x", "9999999999999999"},
      {"FCALL", "weir_publish", "1", "a", "x", "", "-1"},
      {"FCALL", "weir_publish", "1", "a", "x", "", "soon"},
      {"FCALL", "weir_publish", "1", "a", "x", "", "", std::string(257, 'k')},
      {"FCALL", "weir_publish", "1", "a", std::string((4 << 20) + 1, 'x')},
  };
  for (const Words& words : refused) {
    EXPECT_THAT(server.command(words), StartsWith("-ERR weir_publish: ")) << words.back().substr(0, 20);
  }
  EXPECT_EQ(server.command({"DBSIZE"}), "0");
  EXPECT_THAT(
      publish(server, "a",
              {std::string(4 << 20, 'x'), "999999999999999", "999999999999999", std::string(256, 'k')}),
      MatchesRegex("[0-9]{19}-1"));
}

TEST_F(PublishFunction, LeavesOtherKeysAndStreamsAsTheyWere) {
  RedisServer server;
  load(server);
  server.command({"SET", "weir:{text}", "x"});
  EXPECT_THAT(publish(server, "text"), StartsWith("-WRONGTYPE"));
  server.command({"SET", "weir:{a}:keys", "x"});
  EXPECT_THAT(publish(server, "a", {"x", "", "", "key"}), StartsWith("-WRONGTYPE"));
  EXPECT_EQ(server.command({"EXISTS", "weir:{a}"}), "0");
  server.command({"XADD", "weir:{foreign}", "5-1", "a", "b"});
  EXPECT_THAT(publish(server, "foreign"), HasSubstr("holds a stream that weir_publish has not made"));
  EXPECT_EQ(server.command({"XRANGE", "weir:{foreign}", "-", "+"}), "5-1 a b");
}

TEST_F(PublishFunction, KeepsAboutAsManyMessagesAsAnyCallSays) {
  RedisServer server;
  load(server);
  std::vector<Words> commands;
  for (int i = 0; i < 3'000; ++i) commands.push_back({"FCALL", "weir_publish", "1", "news", "x"});
  server.pipeline(commands);
  const int usual = std::stoi(server.command({"XLEN", "weir:{news}"}));
  EXPECT_GE(usual, 1'000);
  EXPECT_LE(usual, 1'200);
  EXPECT_EQ(ordinal_of(publish(server, "news", {"x", "10"})), "3001");
  EXPECT_LE(std::stoi(server.command({"XLEN", "weir:{news}"})), 210);
}

TEST_F(PublishFunction, SetsTheStreamsEndOnceAMinuteAndAtOnceWhereItChanges) {
  RedisServer server;
  load(server);
  std::vector<Words> commands(500, {"FCALL", "weir_publish", "1", "news", "x"});
  server.pipeline(commands);
  EXPECT_GT(std::stoi(server.command({"TTL", "weir:{news}"})), 604'000);
  EXPECT_LE(calls(server, "expire"), 2u);  // Two if a minute passed in between.
  publish(server, "news", {"x", "", "0"});
  EXPECT_EQ(server.command({"TTL", "weir:{news}"}), "-1");
  for (Words& words : commands) words.insert(words.end(), {"", "0"});
  server.pipeline(commands);
  EXPECT_LE(calls(server, "persist"), 2u);
  publish(server, "news", {"x", "", "5"});
  EXPECT_LE(std::stoi(server.command({"TTL", "weir:{news}"})), 5);
  // A small one is set anew each time.
  server.command({"PEXPIRE", "weir:{news}", "1000"});
  publish(server, "news", {"x", "", "50"});
  server.command({"EXPIRE", "weir:{news}", "7"});
  publish(server, "news", {"x", "", "50"});
  EXPECT_GT(std::stoi(server.command({"TTL", "weir:{news}"})), 7);
  // A stream made anew has its end, too.
  publish(server, "news");
  server.command({"DEL", "weir:{news}"});
  publish(server, "news");
  EXPECT_GT(std::stoi(server.command({"TTL", "weir:{news}"})), 604'000);
}

TEST_F(PublishFunction, AnIdempotencyKeyCountsForTenMinutesAndAThousandKeys) {
  RedisServer server;
  load(server);
  const auto keyed = [&](const std::string& key) {
    return publish(server, "news", {"x", "", "", key, "verbose"});
  };
  const std::string first = keyed("k 0");
  EXPECT_TRUE(first.ends_with(" 0"));
  EXPECT_EQ(keyed("k 0"), first.substr(0, first.size() - 1) + "1");
  EXPECT_EQ(publish(server, "news", {"y", "", "", "k 0"}), first.substr(0, first.size() - 2));
  for (int i = 1; i < 1'000; ++i) EXPECT_TRUE(keyed("k " + std::to_string(i)).ends_with(" 0"));
  EXPECT_TRUE(keyed("k 0").ends_with(" 1"));
  EXPECT_TRUE(keyed("k 1000").ends_with(" 0"));
  EXPECT_TRUE(keyed("k 0").ends_with(" 0"));  // Forgotten, and known again instead of "k 1".
  EXPECT_TRUE(keyed("k 2").ends_with(" 1"));
  EXPECT_TRUE(keyed("k 1").ends_with(" 0"));
  EXPECT_EQ(server.command({"HLEN", "weir:{news}:keys"}), "2001");
  const int ends_in = std::stoi(server.command({"TTL", "weir:{news}:keys"}));
  EXPECT_GE(ends_in, 600);
  EXPECT_LE(ends_in, 660);
  // As if it had been given ten minutes ago.
  const std::string now = server.command({"TIME"});
  const std::string then = std::to_string(std::stoll(now.substr(0, now.find(' '))) - 600);
  server.command({"HSET", "weir:{news}:keys", "kk 5", "5 " + then + " 1-1"});
  EXPECT_TRUE(keyed("k 5").ends_with(" 0"));
  EXPECT_EQ(server.command({"EXISTS", "weir:{other}:keys"}), "0");
}

TEST_F(PublishFunction, WritesNothingWhereTheUserLacksARightThatItNeeds) {
  RedisServer server;
  load(server);
  // INFO is asked for now and then: by the first call of all.
  const std::vector<std::string> commands{"info", "fcall", "xadd", "xdel", "expire", "spublish",
                                          "time", "hget",  "hset", "hdel", "hincrby"};
  const auto allow = [&](const std::string& without, const std::string& channels) {
    Words words{"ACL", "SETUSER", "app", "reset", "on", "nopass", "~weir:{*}", "~weir:{*}:keys", channels};
    for (const std::string& command : commands) {
      if (command != without) words.push_back("+" + command);
    }
    server.command(words);
  };
  const auto keyed = [&] {
    return server
        .pipeline({{"AUTH", "app", ""}, {"FCALL", "weir_publish", "1", "weir:{news}", "x", "", "", "key"}})
        .back();
  };
  for (const std::string& without : commands) {
    allow(without, "&weir:{*}");
    EXPECT_TRUE(keyed().starts_with("-")) << without;
    EXPECT_EQ(server.command({"EXISTS", "weir:{news}"}), "0") << without;
  }
  allow("", "&other");
  EXPECT_THAT(keyed(), StartsWith("-NOPERM"));
  EXPECT_EQ(server.command({"EXISTS", "weir:{news}"}), "0");
  allow("", "&weir:{*}");
  EXPECT_THAT(keyed(), MatchesRegex("[0-9]{19}-1"));
}

TEST_F(PublishFunction, TakesNothingWhereRedisIsFull) {
  RedisServer server;
  load(server);
  const std::string id = publish(server, "news");
  server.command({"CONFIG", "SET", "maxmemory", "1"});
  EXPECT_THAT(publish(server, "news"), StartsWith("-OOM"));
  server.command({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_EQ(publish(server, "news"), birth_of(id) + "-2");
}

TEST_F(PublishFunction, OnAClusterTheStreamsOwnKeyIsDeclared) {
  RedisServer server(with({"--cluster-enabled", "yes"}));
  server.command({"CLUSTER", "ADDSLOTSRANGE", "0", "16383"});
  ASSERT_TRUE(poll([&] {
    return server.command({"CLUSTER", "INFO"}).find("cluster_state:ok") != std::string::npos;
  }));
  load(server);
  EXPECT_THAT(publish(server, "news"), HasSubstr("declare the stream's key, weir:{news}"));
  EXPECT_THAT(publish(server, "weir:{news}", {"x", "", "", "key"}), MatchesRegex("[0-9]{19}-1"));
}

TEST_F(PublishFunction, ForgetsStreamsPastItsNumberOfThemAndGoesOn) {
  RedisServer server;
  load(server);
  std::vector<Words> commands;
  for (int i = 0; i < 12'000; ++i) {
    commands.push_back({"FCALL", "weir_publish", "1", "c" + std::to_string(i), "x", std::to_string(i + 1)});
  }
  const auto first = server.pipeline(commands);
  const auto second = server.pipeline(commands);
  for (std::size_t i = 0; i < first.size(); ++i) EXPECT_EQ(second[i], birth_of(first[i]) + "-2");
}

TEST_F(PublishFunction, ItsCallDeclaresTheStreamAndLeavesOutWhatIsUsual) {
  const std::vector<std::string> before{"FCALL", "weir_publish", "1", "weir:{app:news}"};
  const PublishCall usual = publish_call("app:news", kPublishMessages, kPublishSeconds, "");
  EXPECT_EQ(usual.before, before);
  EXPECT_TRUE(usual.behind.empty());
  EXPECT_EQ(publish_call("app:news", 5, kPublishSeconds, "").behind,
            (std::vector<std::string>{"5", "604800"}));
  EXPECT_EQ(publish_call("app:news", kPublishMessages, 0, "k").behind,
            (std::vector<std::string>{"1000", "0", "k", "verbose"}));
}

}  // namespace
}  // namespace weir
