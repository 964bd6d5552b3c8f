#include "broker/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

namespace weir {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

Result<CommandLine> read(const std::vector<std::string>& flags,
                         const std::vector<std::string>& variables = {}) {
  std::vector<const char*> argv{"weir-broker"};
  for (const auto& flag : flags) argv.push_back(flag.c_str());
  std::vector<const char*> environment;
  for (const auto& variable : variables) environment.push_back(variable.c_str());
  environment.push_back(nullptr);
  return read_settings(static_cast<int>(argv.size()), argv.data(), environment.data());
}

std::string error_of(const std::vector<std::string>& flags, const std::vector<std::string>& variables = {}) {
  const auto line = read(flags, variables);
  return line ? "no error" : line.error().message;
}

// Reads `text` as the TOML file.
Result<CommandLine> read_file(const std::string& text, std::vector<std::string> flags = {}) {
  const auto path = testing::TempDir() + "weir-config-" + std::to_string(getpid()) + ".toml";
  std::ofstream(path) << text;
  flags.insert(flags.end(), {"--config", path});
  auto line = read(flags);
  std::remove(path.c_str());
  return line;
}

std::string content_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(std::string(WEIR_SOURCE_DIR) + "/" + path).rdbuf();
  return text.str();
}

TEST(Config, HasTheDocumentedDefaults) {
  const auto line = read({});
  ASSERT_TRUE(line) << line.error().message;
  const auto& config = line->config;
  EXPECT_EQ(config.listen, "127.0.0.1:8080");
  EXPECT_EQ(config.admin_listen, "127.0.0.1:8081");
  EXPECT_EQ(config.linger, std::chrono::seconds(120));
  EXPECT_EQ(config.channel.history_messages, 100);
  EXPECT_EQ(config.channel.history_bytes, 1 << 20);
  EXPECT_EQ(config.channel.history_seconds, std::chrono::seconds(300));
  EXPECT_EQ(config.channel.queue_messages, 10'000);
  EXPECT_EQ(config.channel.queue_bytes, 4 << 20);
  EXPECT_EQ(config.channel.slow_client, SlowClientPolicy::kSkip);
  EXPECT_EQ(config.heartbeat, std::chrono::seconds(15));
  EXPECT_EQ(config.drain, std::chrono::seconds(10));
  EXPECT_EQ(config.socket_unsent_bytes, 128 << 10);
  EXPECT_THAT(line->warnings, IsEmpty());
}

// The names of all rows of the table, sorted.
std::vector<std::string> names_of_table() {
  std::vector<std::string> names;
  std::istringstream page(settings_markdown());
  // "| `--queue-bytes`<br>`WEIR_QUEUE_BYTES` | …"
  for (std::string row; std::getline(page, row);) {
    constexpr std::string_view kStart = "| `--";
    if (row.starts_with(kStart)) names.push_back(row.substr(kStart.size(), row.find('`', 3) - kStart.size()));
  }
  for (const char* about_the_program : {"config", "help", "version"}) {
    EXPECT_EQ(std::erase(names, about_the_program), 1U);
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST(Config, EachSettingReachesItsField) {
  // With healthcheck nothing is looked at beyond the rows, such as whether the files are there.
  const auto line = read_file(R"(
healthcheck = true
print-function = true
redis-password-file = "password"
redis-ca-file = "ca"
redis-certificate-file = "certificate"
redis-key-file = "key"
jwt-secret-file = "secret"
jwt-public-key-file = "public"
jwks-file = "jwks"
admin-token-file = "token"
base-path = "/push"
jwt-audience = "audience"
jwt-cookie = "cookie"
access-log = "off"
access-log-per-second = 32
listen = "127.0.0.2:1"
admin-listen = "127.0.0.2:2"
bus = "redis"
redis-url = "redis://u:p@h:1/2"
redis-prefix = "app:"
history-messages = 3
history-bytes = 4
history-seconds = 5
queue-messages = 6
queue-bytes = 7
slow-client = "latest"
envelope = "never"
record = ["r*"]
durable = ["d*", "e"]
durable-messages = 36
durable-seconds = 37
linger-seconds = 8
memory-limit = "9M"
heartbeat-seconds = 10
retry-ms = 11
stuck-seconds = 12
max-stream-seconds = 13
drain-seconds = 14
drain-retry-ms = 33
ready-without-redis-seconds = 34
away = true
sleep = 35
selftest = "http://gateway"
selftest-channel = "a"
selftest-token-file = "token"
socket-unsent-bytes = "15K"
cors-origin = ["https://a.example"]
anonymous-subscribe = ["s*"]
anonymous-publish = ["p*"]
trusted-proxy = ["10.0.0.0/8", "::1"]
console = "off"
clients = "off"
max-clients = 16
max-clients-per-address = 30
max-connects-per-second = 31
max-channels = 17
max-channels-per-client = 18
max-message-bytes = 19
max-requests = 20
request-memory = "21M"
head-bytes = "22K"
head-seconds = 23
body-seconds = 24
keep-alive-seconds = 25
max-publishes-waiting = 26
publish-timeout-ms = 27
shards = 28
http-threads = 29
log-level = "debug"
log-format = "json"
)");
  ASSERT_TRUE(line) << line.error().message;
  const auto& config = line->config;
  // A row that is added to the table is missed here.
  auto given = settings_for_a_restart(Config{}, config);
  given.emplace_back("log-level");  // Never named: it takes no restart.
  std::sort(given.begin(), given.end());
  EXPECT_THAT(given, ElementsAreArray(names_of_table()))
      << "A setting is not in this test, or has its default here.";
  EXPECT_TRUE(config.healthcheck);
  EXPECT_TRUE(config.print_function);
  EXPECT_EQ(config.redis_files.password, "password");
  EXPECT_EQ(config.redis_files.ca, "ca");
  EXPECT_EQ(config.redis_files.certificate, "certificate");
  EXPECT_EQ(config.redis_files.key, "key");
  EXPECT_EQ(config.jwt_secret_file, "secret");
  EXPECT_EQ(config.jwt_public_key_file, "public");
  EXPECT_EQ(config.jwks_file, "jwks");
  EXPECT_EQ(config.admin_token_file, "token");
  EXPECT_EQ(config.base_path, "/push");
  EXPECT_EQ(config.jwt_audience, "audience");
  EXPECT_EQ(config.jwt_cookie, "cookie");
  EXPECT_FALSE(config.access_log);
  EXPECT_EQ(config.access_log_per_second, 32);
  EXPECT_EQ(config.listen, "127.0.0.2:1");
  EXPECT_EQ(config.admin_listen, "127.0.0.2:2");
  EXPECT_EQ(config.bus, BusChoice::kRedis);
  EXPECT_EQ(config.redis_url, "redis://u:p@h:1/2");
  EXPECT_EQ(config.redis_prefix, "app:");
  EXPECT_EQ(config.channel.history_messages, 3);
  EXPECT_EQ(config.channel.history_bytes, 4);
  EXPECT_EQ(config.channel.history_seconds.count(), 5);
  EXPECT_EQ(config.channel.queue_messages, 6);
  EXPECT_EQ(config.channel.queue_bytes, 7);
  EXPECT_EQ(config.channel.slow_client, SlowClientPolicy::kLatest);
  EXPECT_EQ(config.channel.envelope, EnvelopeMode::kNever);
  EXPECT_THAT(config.record, ElementsAre("r*"));
  EXPECT_THAT(config.durable, ElementsAre("d*", "e"));
  EXPECT_EQ(config.channel.durable_messages, 36);
  EXPECT_EQ(config.channel.durable_seconds.count(), 37);
  EXPECT_EQ(config.linger.count(), 8);
  EXPECT_EQ(config.memory_limit_bytes, 9 << 20);
  EXPECT_EQ(config.heartbeat.count(), 10);
  EXPECT_EQ(config.retry.count(), 11);
  EXPECT_EQ(config.stuck.count(), 12);
  EXPECT_EQ(config.max_stream.count(), 13);
  EXPECT_EQ(config.drain.count(), 14);
  EXPECT_EQ(config.drain_retry.count(), 33);
  EXPECT_EQ(config.ready_without_redis.count(), 34);
  EXPECT_EQ(config.sleep.count(), 35);
  EXPECT_EQ(config.selftest, "http://gateway");
  EXPECT_EQ(config.selftest_channel, "a");
  EXPECT_EQ(config.selftest_token_file, "token");
  EXPECT_TRUE(config.away);
  EXPECT_EQ(config.socket_unsent_bytes, 15 << 10);
  EXPECT_THAT(config.cors_origin, ElementsAre("https://a.example"));
  EXPECT_THAT(config.anonymous_subscribe, ElementsAre("s*"));
  EXPECT_THAT(config.anonymous_publish, ElementsAre("p*"));
  EXPECT_EQ(config.console, ConsoleMode::kOff);
  EXPECT_FALSE(config.serves_clients);
  EXPECT_EQ(config.max_clients, 16);
  EXPECT_THAT(config.trusted_proxy, ElementsAre("10.0.0.0/8", "::1"));
  EXPECT_EQ(config.max_clients_per_address, 30);
  EXPECT_EQ(config.max_connects_per_second, 31);
  EXPECT_EQ(config.max_channels, 17);
  EXPECT_EQ(config.max_channels_per_client, 18);
  EXPECT_EQ(config.max_message_bytes, 19);
  EXPECT_EQ(config.max_requests, 20);
  EXPECT_EQ(config.request_memory_bytes, 21 << 20);
  EXPECT_EQ(config.head_bytes, 22 << 10);
  EXPECT_EQ(config.head_seconds.count(), 23);
  EXPECT_EQ(config.body_seconds.count(), 24);
  EXPECT_EQ(config.keep_alive.count(), 25);
  EXPECT_EQ(config.max_publishes_waiting, 26);
  EXPECT_EQ(config.publish_timeout.count(), 27);
  EXPECT_EQ(config.shards, 28);
  EXPECT_EQ(config.http_threads, 29);
  EXPECT_EQ(config.log_level, LogLevel::kDebug);
  EXPECT_EQ(config.log_format, LogFormat::kJson);
}

TEST(Config, TrustsOnlyWhatIsARange) {
  EXPECT_EQ(error_of({"--trusted-proxy", "10.0.0.0/8", "--trusted-proxy", "2001:db8::/32"}), "no error");
  EXPECT_EQ(error_of({}, {"WEIR_TRUSTED_PROXY=10.0.0.0/8,::1"}), "no error");
  EXPECT_EQ(
      error_of({"--trusted-proxy", "proxy.internal"}),
      "trusted-proxy = \"proxy.internal\" (the flag --trusted-proxy): must be an IP address or a range of "
      "them, such as 10.0.0.0/8 or 2001:db8::/32");
  EXPECT_EQ(
      error_of({"--trusted-proxy", "10.1.0.0/8"}),
      "trusted-proxy = \"10.1.0.0/8\" (the flag --trusted-proxy): must have no bits beyond its prefix: the "
      "range is 10.0.0.0/8");
}

TEST(Config, TakesZeroWhereItHasAMeaning) {
  for (const char* name :
       {"max-clients", "max-clients-per-address", "max-connects-per-second", "max-stream-seconds", "shards",
        "history-messages", "history-bytes", "drain-seconds", "linger-seconds", "durable-seconds"}) {
    EXPECT_EQ(error_of({std::string("--") + name + "=0"}), "no error") << name;
  }
  for (const char* name :
       {"queue-messages", "queue-bytes", "heartbeat-seconds", "history-seconds", "memory-limit",
        "max-channels", "max-requests", "http-threads", "stuck-seconds", "durable-messages"}) {
    EXPECT_THAT(error_of({std::string("--") + name + "=0"}), StartsWith(std::string(name) + " = \"0\""))
        << name;
  }
}

TEST(Config, AwayTakesTheSettingsOfAGatewayAndNeedsNoneOfThem) {
  EXPECT_EQ(error_of({"--away", "--listen", "0.0.0.0:0"}), "no error");
  const auto line = read({"--away", "--redis-url", "redis://h", "--record", "a", "--jwt-secret-file",
                          "/nowhere", "--cors-origin", "https://page.example"});
  ASSERT_TRUE(line) << line.error().message;
  EXPECT_FALSE(uses_redis(line->config));
  EXPECT_FALSE(has_keys(line->config));
  EXPECT_THAT(line->config.record, IsEmpty());
  EXPECT_THAT(line->config.cors_origin, ElementsAre("https://page.example"));
}

TEST(Config, RedisIsNeededForItsBusAndRefusedBesideTheOther) {
  EXPECT_THAT(error_of({"--bus", "redis"}),
              AllOf(StartsWith("bus = \"redis\" (the flag --bus): "), HasSubstr("redis-url")));
  EXPECT_THAT(error_of({"--bus=memory"}, {"WEIR_REDIS_URL=redis://u:secret@h"}),
              AllOf(StartsWith("bus = \"memory\""), HasSubstr("redis-url"), Not(HasSubstr("secret"))));
  EXPECT_EQ(error_of({"--redis-url", "unix:///run/redis.sock"}), "no error");
  EXPECT_THAT(error_of({"--redis-url", "http://u:secret@h"}),
              AllOf(StartsWith("redis-url = \"http://***@h\""), Not(HasSubstr("secret"))));
}

TEST(Config, SaysWhatIsWrongWithARedisUrlWithoutItsPassword) {
  for (const char* url :
       {"redis://u:secret@h:0", "rediss://u:secret@h/x", "redis://u:secret@[::1", "redis://u:se/secret",
        "redis://h?password=secret", "unix://:secret@", "redis://secret@h"}) {
    EXPECT_THAT(error_of({"--redis-url", url}),
                AllOf(HasSubstr("edis"), Not(HasSubstr("secret")), Not("no error")))
        << url;
  }
  EXPECT_EQ(error_of({"--redis-url", "rediss://u:secret@h"}), "no error");
}

TEST(Config, ReadsFilesForRedisAndRefusesThoseThatDoNotFit) {
  const auto path = testing::TempDir() + "weir-config-password-" + std::to_string(getpid());
  std::ofstream(path) << "secret\n";
  const auto line = read({"--redis-url", "redis://app@h", "--redis-password-file", path});
  ASSERT_TRUE(line) << line.error().message;
  EXPECT_EQ(line->config.redis_files.password, path);
  EXPECT_THAT(error_of({"--redis-password-file", path}), HasSubstr("needs a redis-url"));
  EXPECT_THAT(error_of({"--redis-url", "redis://:secret@h", "--redis-password-file", path}),
              AllOf(StartsWith("redis-password-file = "), HasSubstr("leave out one")));
  std::remove(path.c_str());
  EXPECT_THAT(error_of({"--redis-url", "redis://app@h", "--redis-password-file", path}),
              HasSubstr("No such file"));
  EXPECT_THAT(error_of({"--redis-url", "rediss://h", "--redis-ca-file", "/none"}),
              StartsWith("redis-ca-file = \"/none\": can't be read: No such file"));
  EXPECT_THAT(error_of({"--redis-url", "redis://h", "--redis-ca-file", "/none"}), HasSubstr("rediss://"));
}

TEST(Config, WarnsOfAnonymousRulesForAllOfARedis) {
  const auto warnings_of = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--redis-url", "redis://h"});
    const auto line = read(arguments);
    EXPECT_TRUE(line);
    return line ? line->warnings : std::vector<std::string>();
  };
  EXPECT_THAT(warnings_of({"--anonymous-subscribe", "*"}),
              ElementsAre(HasSubstr("anybody may read every channel")));
  EXPECT_THAT(warnings_of({"--anonymous-publish", "a", "--anonymous-publish", "*"}),
              ElementsAre(HasSubstr("anybody may publish to every channel")));
  EXPECT_THAT(warnings_of({"--anonymous-subscribe", "*", "--redis-prefix", "app:"}), IsEmpty());
  EXPECT_THAT(warnings_of({"--anonymous-subscribe", "news.*"}), IsEmpty());
  EXPECT_THAT(read({"--anonymous-subscribe", "*"})->warnings, IsEmpty());
}

TEST(Config, ListensOffLoopbackOnlyWithARuleForWhoMayComeIn) {
  for (const char* listen : {":8080", "0.0.0.0:8080", "[::]:8080", "192.0.2.1:0"}) {
    EXPECT_THAT(
        error_of({"--listen", listen, "--redis-url", "redis://h"}),
        AllOf(StartsWith("listen = "), HasSubstr("--anonymous-subscribe"), HasSubstr("--anonymous-publish")))
        << listen;
  }
  EXPECT_EQ(error_of({"--listen", ":1", "--redis-url", "redis://h", "--anonymous-subscribe", "*"}),
            "no error");
  EXPECT_EQ(error_of({"--listen", ":1", "--redis-url", "redis://h", "--anonymous-publish", "a*"}),
            "no error");
  EXPECT_EQ(error_of({"--admin-listen", ":1"}), "no error");
  for (const char* listen : {"127.1.2.3:8080", "[::1]:8080", "localhost:8080"}) {
    EXPECT_EQ(error_of({"--listen", listen}), "no error") << listen;
  }
}

TEST(Config, IsAloneOffLoopbackOnlyWhenToldTo) {
  const std::vector<std::string> open = {"--listen", ":1", "--anonymous-subscribe", "*"};
  EXPECT_THAT(error_of(open, {"WEIR_REDIS_ULR=redis://h"}),
              AllOf(StartsWith("listen = "), HasSubstr("--redis-url"), HasSubstr("--bus memory")));
  EXPECT_EQ(error_of(open, {"WEIR_BUS=memory"}), "no error");
}

TEST(Config, RefusesOneAddressForBothSides) {
  EXPECT_THAT(error_of({"--listen", "127.0.0.1:1", "--admin-listen", "127.0.0.1:1"}),
              StartsWith("admin-listen = "));
  EXPECT_EQ(error_of({"--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}), "no error");
}

TEST(Config, RefusesAddressesPatternsOriginsAndPrefixesThatCanNotBe) {
  for (const char* listen :
       {"8080", "", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80", "x:1"}) {
    EXPECT_THAT(error_of({"--listen", listen}), StartsWith("listen = ")) << listen;
  }
  for (const char* flag : {"record", "durable", "anonymous-subscribe", "anonymous-publish"}) {
    for (const char* pattern : {"a b", "a/b", "weir:x", "weir:*", "__x*", "a?", "\xc3\xa9"}) {
      EXPECT_THAT(error_of({std::string("--") + flag, pattern}), StartsWith(std::string(flag) + " = "))
          << pattern;
    }
    EXPECT_EQ(error_of({std::string("--") + flag, "a*.b:c@d-_*", "--redis-url", "redis://h"}), "no error");
  }
  for (const char* origin :
       {"https://a.example/", "https://a.example/x", "a.example", "https://",
        "https://a.example:", "https://a.example:x", "https://*.example", "https://A.example", "null",
        "https://u@a", "https://[::1", "https://a?b", "://a", "https://a.example https://b.example"}) {
    EXPECT_THAT(error_of({"--cors-origin", origin}), StartsWith("cors-origin = ")) << origin;
  }
  for (const char* origin : {"*", "https://a.example", "http://localhost:5173", "http://127.0.0.1:1",
                             "http://[::1]:80", "http://[::1]", "chrome-extension://abc"}) {
    EXPECT_EQ(error_of({"--cors-origin", origin}), "no error") << origin;
  }
  EXPECT_THAT(error_of({"--redis-prefix", "a b"}), StartsWith("redis-prefix = "));
}

TEST(Settings, TakeABasePathInItsNormalFormAlone) {
  for (const char* path : {"/push", "/push/v1", "/a-b_c.d~e", ""}) {
    EXPECT_EQ(error_of({"--base-path", path}), "no error") << path;
  }
  for (const std::string& path :
       std::vector<std::string>{"/", "push", "/push/", "//push", "/a//b", "/../b", "/a/./b", "/.a", "/a%20b",
                                "/a b", "/a?b", "https://a.example/push", "/" + std::string(128, 'x')}) {
    EXPECT_THAT(error_of({"--base-path", path}), StartsWith("base-path = \"" + path.substr(0, 120))) << path;
  }
}

TEST(Config, TheFirstChannelTableThatMatchesCounts) {
  const auto line = read_file(R"(
queue-messages = 50
[[channel]]
match = "log.*"
slow-client = "disconnect"
history-messages = 7
[[channel]]
match = "*"
envelope = "always"
)",
                              {"--history-seconds", "60"});
  ASSERT_TRUE(line) << line.error().message;
  const auto& log = settings_of(line->config, "log.web");
  EXPECT_EQ(log.slow_client, SlowClientPolicy::kDisconnect);
  EXPECT_EQ(log.history_messages, 7);
  EXPECT_EQ(log.queue_messages, 50);
  EXPECT_EQ(log.history_seconds, std::chrono::seconds(60));
  EXPECT_EQ(log.envelope, EnvelopeMode::kAuto);
  EXPECT_EQ(settings_of(line->config, "other").envelope, EnvelopeMode::kAlways);
}

TEST(Config, AChannelWithoutATableHasTheGeneralSettings) {
  const auto line = read_file("queue-messages = 50\n[[channel]]\nmatch = \"log.*\"\nqueue-messages = 60\n");
  ASSERT_TRUE(line) << line.error().message;
  EXPECT_EQ(settings_of(line->config, "other").queue_messages, 50);
  EXPECT_EQ(&settings_of(line->config, "other"), &line->config.channel);
}

TEST(Config, NamesWhatTakesARestartAndIsNotReadAgain) {
  const auto running = read_file("heartbeat-seconds = 20\nmemory-limit = \"4M\"\n");
  ASSERT_TRUE(running) << running.error().message;
  const auto names_of = [&](const std::string& text, const std::vector<std::string>& flags = {}) {
    const auto again = read_file(text, flags);
    if (!again) return std::vector<std::string>{again.error().message};
    return settings_for_a_restart(running->config, again->config);
  };
  EXPECT_THAT(names_of("heartbeat-seconds = 20\nmemory-limit = \"4096K\"\nhistory-messages = 100\n"),
              IsEmpty())
      << "The same value, spelt otherwise, and a default.";
  EXPECT_THAT(names_of("heartbeat-seconds = 20\nmemory-limit = \"4M\"\nlog-level = \"debug\"\n"
                       "[[channel]]\nmatch = \"a\"\nqueue-messages = 1\n"),
              IsEmpty())
      << "These are read again.";
  EXPECT_THAT(names_of("memory-limit = \"4M\"\n", {"--heartbeat-seconds", "20"}), IsEmpty())
      << "What counts is the value in force, wherever it is from.";
  EXPECT_THAT(names_of(R"(
listen = "127.0.0.1:9000"
heartbeat-seconds = 21
memory-limit = "4M"
history-messages = 7
slow-client = "latest"
anonymous-publish = ["a", "c"]
trusted-proxy = ["::1"]
redis-url = "redis://:secret@127.0.0.1"
access-log = "off"
retry-ms = 100
)"),
              ElementsAre("access-log", "anonymous-publish", "heartbeat-seconds", "history-messages",
                          "listen", "redis-url", "retry-ms", "slow-client", "trusted-proxy"));
}

TEST(Config, AChannelTableThatIsReadAgainHasTheGeneralSettingsThatAreInForce) {
  const auto path = testing::TempDir() + "weir-config-again-" + std::to_string(getpid()) + ".toml";
  std::ofstream(path) << "queue-messages = 50\n[[channel]]\nmatch = \"*\"\nhistory-messages = 7\n";
  const char* const argv[] = {"weir-broker", "--config", path.c_str()};
  ChannelSettings in_force;
  in_force.queue_messages = 60;
  const auto line = read_settings(3, argv, nullptr, &in_force);
  std::remove(path.c_str());
  ASSERT_TRUE(line) << line.error().message;
  EXPECT_EQ(line->config_path, path);
  EXPECT_EQ(settings_of(line->config, "a").history_messages, 7);
  EXPECT_EQ(settings_of(line->config, "a").queue_messages, 60);
  EXPECT_EQ(line->config.channel.queue_messages, 50);
}

TEST(Config, RefusesChannelTablesWithOtherKeysOrWithoutAMatch) {
  EXPECT_THAT(read_file("[[channel]]\nmatch = \"a\"\nrecord = [\"a\"]\n").error().message,
              AllOf(StartsWith("record ("), HasSubstr(":3): no such key of [[channel]]")));
  EXPECT_THAT(read_file("[[channel]]\nqueue-bytes = 10\n").error().message, HasSubstr("match"));
  EXPECT_THAT(read_file("[[channel]]\nmatch = \"a b\"\n").error().message, StartsWith("match = \"a b\""));
  EXPECT_THAT(read_file("[[channel]]\nmatch = \"a\"\nqueue-bytes = 0\n").error().message,
              StartsWith("queue-bytes = \"0\""));
}

// The flags of a gateway with a Redis.
const std::vector<std::string> kRedis{"--redis-url", "redis://h"};

TEST(Config, AChannelIsDurableByAPatternOrByItsTable) {
  const auto line = read_file(R"(
durable = ["orders.*", "both"]
durable-messages = 50
[[channel]]
match = "user:*"
durable = true
durable-seconds = 0
[[channel]]
match = "orders.eu"
durable-messages = 60
slow-client = "skip"
[[channel]]
match = "both"
source = "stream"
)",
                              kRedis);
  ASSERT_TRUE(line) << line.error().message;
  const Config& config = line->config;
  const auto origin = [&](std::string_view channel) {
    return origin_of(config, config.channel_rules, channel);
  };
  EXPECT_EQ(origin("user:42").source, ChannelSource::kDurable);
  EXPECT_FALSE(origin("user:42").names_slow_client);
  EXPECT_EQ(settings_of(config, "user:42").durable_messages, 50);
  EXPECT_EQ(settings_of(config, "user:42").durable_seconds.count(), 0);
  EXPECT_EQ(origin("orders.us").source, ChannelSource::kDurable);
  EXPECT_EQ(origin("orders.eu").source, ChannelSource::kDurable) << "The pattern counts beside a table.";
  EXPECT_TRUE(origin("orders.eu").names_slow_client);
  EXPECT_EQ(settings_of(config, "orders.eu").durable_messages, 60);
  EXPECT_EQ(origin("both").source, ChannelSource::kStream) << "A table's source goes first.";
  EXPECT_EQ(origin("news").source, ChannelSource::kPubSub);
}

TEST(Config, AChannelFollowsAStreamByItsTable) {
  const auto line = read_file(R"(
[[channel]]
match = "build:*"
source = "stream"
stream-key = "logs:{channel}:{channel}"
stream-field = "line"
[[channel]]
match = "answer:*"
source = "stream"
[[channel]]
match = "live"
source = "pubsub"
)",
                              kRedis);
  ASSERT_TRUE(line) << line.error().message;
  const auto origin = [&](std::string_view channel) {
    return origin_of(line->config, line->config.channel_rules, channel);
  };
  EXPECT_EQ(origin("build:7").source, ChannelSource::kStream);
  EXPECT_EQ(origin("build:7").stream_key, "logs:build:7:build:7");
  EXPECT_EQ(origin("build:7").stream_field, "line");
  EXPECT_EQ(origin("answer:1").stream_key, "answer:1");
  EXPECT_EQ(origin("answer:1").stream_field, "data");
  EXPECT_EQ(origin("live").source, ChannelSource::kPubSub);
}

TEST(Config, ChannelsWithAHistoryNeedRedis) {
  const std::string rule = "[[channel]]\nmatch = \"a\"\n";
  EXPECT_EQ(error_of({"--durable", "a.*"}),
            "durable = \"a.*\": needs Redis: set --redis-url redis://host:port");
  EXPECT_EQ(error_of({"--durable", "a.*", "--bus", "memory"}).substr(0, 24), "durable = \"a.*\": needs R");
  EXPECT_EQ(read_file(rule + "durable = true\n").error().message,
            "durable = \"true\" ([[channel]] of \"a\"): needs Redis: set --redis-url redis://host:port");
  EXPECT_THAT(read_file(rule + "source = \"stream\"\n").error().message,
              StartsWith("source = \"stream\" ([[channel]] of \"a\"): needs Redis"));
  EXPECT_TRUE(read_file(rule + "durable = false\nsource = \"pubsub\"\n"));
  EXPECT_TRUE(read_file(rule + "durable = true\n", kRedis));
}

TEST(Config, DurableChannelsTakeNoPrefixWithABrace) {
  EXPECT_THAT(error_of({"--durable", "a", "--redis-url", "redis://h", "--redis-prefix", "{app}:"}),
              AllOf(StartsWith("durable = \"a\": "), HasSubstr("redis-prefix, \"{app}:\"")));
  const std::string rule = "redis-prefix = \"app}\"\n[[channel]]\nmatch = \"a\"\n";
  EXPECT_THAT(read_file(rule + "durable = true\n", kRedis).error().message,
              HasSubstr("brace in redis-prefix"));
  EXPECT_TRUE(read_file(rule + "source = \"stream\"\n", kRedis));
  EXPECT_EQ(error_of({"--redis-url", "redis://h", "--redis-prefix", "{app}:"}), "no error");
}

TEST(Config, RefusesTablesWhoseSourceContradictsItself) {
  const std::string rule = "[[channel]]\nmatch = \"a\"\n";
  EXPECT_EQ(read_file(rule + "durable = true\nsource = \"stream\"\n", kRedis).error().message,
            "durable = \"true\" ([[channel]] of \"a\"): can't be used with source = \"stream\"; leave out "
            "one of the "
            "two");
  for (const char* key : {"stream-key = \"x\"\n", "stream-field = \"data\"\n"}) {
    EXPECT_EQ(read_file(rule + key, kRedis).error().message,
              "stream-key, stream-field ([[channel]] of \"a\"): need source = \"stream\"")
        << key;
    EXPECT_TRUE(read_file(rule + "source = \"stream\"\n" + key, kRedis)) << key;
  }
  EXPECT_THAT(read_file(rule + "source = \"list\"\n", kRedis).error().message,
              HasSubstr("must be pubsub or stream"));
  for (const char* key : {"", "a b", "\xc3\xa9"}) {
    EXPECT_THAT(
        read_file(rule + "source = \"stream\"\nstream-key = \"" + key + "\"\n", kRedis).error().message,
        StartsWith("stream-key = "));
  }
}

// The rules of a file that is read again meet the settings in force, not those of the file.
TEST(Config, RulesThatAreReadAgainMeetTheSettingsInForce) {
  const auto again = read_file("redis-url = \"redis://h\"\n[[channel]]\nmatch = \"a\"\ndurable = true\n");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_FALSE(check_sources(again->config, again->config.channel_rules));
  const auto error = check_sources(Config{}, again->config.channel_rules);
  ASSERT_TRUE(error);
  EXPECT_THAT(error->message, HasSubstr("needs Redis"));
}

TEST(Config, WarnsWhereRequestMemoryIsTooSmallForTheLargestMessage) {
  const auto line = read({"--request-memory", "1M"});
  ASSERT_TRUE(line) << line.error().message;
  EXPECT_THAT(line->warnings, ElementsAre(HasSubstr("request-memory")));
}

TEST(Config, AHealthcheckNeedsNoMoreThanTheAdminAddress) {
  const std::vector<std::string> off_loopback{"--listen", "0.0.0.0:8080", "--admin-listen", ":8081"};
  EXPECT_NE(error_of(off_loopback), "no error");
  const auto line = read({"--healthcheck"}, {"WEIR_LISTEN=0.0.0.0:8080", "WEIR_ADMIN_LISTEN=:8081"});
  ASSERT_TRUE(line) << line.error().message;
  EXPECT_TRUE(line->config.healthcheck);
  EXPECT_EQ(line->config.admin_listen, ":8081");
  EXPECT_NE(error_of({"--healthcheck", "--admin-listen", "nonsense"}), "no error");
  EXPECT_FALSE(read({})->config.healthcheck);
}

TEST(Config, TheFunctionIsPrintedWhateverElseIsWrong) {
  const auto line = read({"--print-function", "--bus", "redis"}, {"WEIR_DURABLE=a"});
  ASSERT_TRUE(line && line->text);
  EXPECT_EQ(*line->text, content_of("redis/weir.lua"));
  EXPECT_FALSE(read({"--print-function=false"})->text);
}

TEST(Config, HelpIsGivenWhateverElseIsWrong) {
  const auto line = read({"--help", "--bus", "redis"});
  ASSERT_TRUE(line && line->text);
  EXPECT_THAT(*line->text,
              AllOf(HasSubstr("--heartbeat-seconds, WEIR_HEARTBEAT_SECONDS (1 to 3600 s; default 15 s)"),
                    HasSubstr("[[channel]]"), HasSubstr("--config, WEIR_CONFIG")));
}

// Where this fails after a change of the table: build/dev/bin/unit_config prints
// the page with WEIR_WRITE_DOCS=1.
TEST(Config, TheSettingsPageIsTheTable) { EXPECT_EQ(content_of("docs/settings.md"), settings_markdown()); }

// Where this fails after a change of the table: `ninja docs`.
TEST(Config, TheChartsSchemaHasTheTable) {
  const std::string schema = content_of("helm/weir/values.schema.json");
  const auto made = chart_schema(schema);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(schema, *made);
}

TEST(Config, ASchemaOfAnotherShapeIsRefused) { EXPECT_FALSE(chart_schema("{}")); }

TEST(Config, TheSettingsThatAreNotTheirDefaultsAreOneLineWithoutPasswords) {
  EXPECT_EQ(changed_settings(read({})->config), "");
  const auto line = read({"--heartbeat-seconds", "20", "--max-clients", "100", "--history-messages", "100",
                          "--anonymous-subscribe", "news.*", "--redis-url", "redis://user:secret@h:1"});
  ASSERT_TRUE(line) << line.error().message;
  const std::string text = changed_settings(line->config);
  for (const char* part : {"heartbeat-seconds=20", "max-clients=100", "news.*", "redis-url=redis://***@h:1"})
    EXPECT_THAT(text, HasSubstr(part));
  EXPECT_THAT(text, Not(HasSubstr("secret")));
  EXPECT_THAT(text, Not(HasSubstr("history-messages"))) << "that is its default";
}

}  // namespace
}  // namespace weir
