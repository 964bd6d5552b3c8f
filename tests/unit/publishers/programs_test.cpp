// What the three programs have in common, and the demo.
#include <httplib.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/certificates.h"
#include "tests/unit/publishers/program_fixture.h"

namespace weir {
namespace {

using Payloads = std::vector<std::string>;

std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  std::string output;
  for (int c = std::fgetc(pipe.get()); c != EOF; c = std::fgetc(pipe.get())) output += static_cast<char>(c);
  return output;
}

TEST_F(ProgramTest, TheDemoSaysAaaBbbCcc) {
  Subscriber subscriber(redis_, "news");
  Program demo(WEIR_PUBLISH_DEMO, arguments({"--end"}));
  EXPECT_EQ(subscriber.take(4), (Payloads{R"({"msg":"aaa"})", R"({"msg":"bbb"})", R"({"msg":"ccc"})", kEnd}));
  EXPECT_EQ(demo.wait(), 0);
}

TEST_F(ProgramTest, TheDemoPublishesATextWordByWord) {
  folder_.append("Once  upon\na time \xF0\x9F\x8C\x8A.\n", "text");
  Subscriber subscriber(redis_, "news");
  Program demo(WEIR_PUBLISH_DEMO,
               arguments({"--words", folder_.path("text"), "--words-per-second", "1000", "--end"}));
  EXPECT_EQ(subscriber.take_until(kEnd),
            (Payloads{R"({"msg":"Once  "})", R"({"msg":"upon\n"})", R"({"msg":"a "})", R"({"msg":"time "})",
                      "{\"msg\":\"\xF0\x9F\x8C\x8A.\\n\"}", kEnd}));
  EXPECT_EQ(demo.wait(), 0);
}

TEST_F(ProgramTest, TheDemoRepeatsUntilItIsStoppedAndThenEndsTheChannel) {
  folder_.append("word", "text");
  Subscriber subscriber(redis_, "news");
  Program demo(WEIR_PUBLISH_DEMO, arguments({"--words", folder_.path("text"), "--repeat",
                                             "--repeat-pause-seconds", "0", "--end"}));
  EXPECT_EQ(subscriber.take(3), Payloads(3, R"({"msg":"word"})"));
  demo.signal(SIGTERM);
  EXPECT_EQ(subscriber.take_until(kEnd).back(), kEnd);
  EXPECT_EQ(demo.wait(), 0);
}

TEST_F(ProgramTest, APrefixIsPutBeforeTheChannel) {
  Subscriber subscriber(redis_, "app:news");
  Program demo(WEIR_PUBLISH_DEMO, arguments({"--redis-prefix", "app:"}));
  EXPECT_EQ(subscriber.take(1), Payloads{R"({"msg":"aaa"})"});
}

TEST_F(ProgramTest, NothingThatLooksLikeATokenIsLogged) {
  Program demo(WEIR_PUBLISH_DEMO, arguments({"--channel", "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.c2ln"}));
  EXPECT_EQ(demo.wait(), 0);
  EXPECT_NE(demo.errors().find("publishing to channel (redacted) at"), std::string::npos) << demo.errors();
  EXPECT_EQ(demo.errors().find("eyJ"), std::string::npos) << demo.errors();
}

TEST_F(ProgramTest, AProgramThatIsCutInTheMiddleSaysSoInItsExitCode) {
  Subscriber subscriber(redis_, "news");
  Program demo(WEIR_PUBLISH_DEMO, arguments());
  EXPECT_EQ(subscriber.take(1), Payloads{R"({"msg":"aaa"})"});
  demo.signal(SIGINT);
  EXPECT_EQ(demo.wait(), 130);
}

TEST_F(ProgramTest, WrongUsageIsOneLineAndExitCodeTwo) {
  const std::vector<std::pair<const char*, Payloads>> cases{
      {WEIR_PUBLISH_DEMO, {"--channel", "news"}},
      {WEIR_PUBLISH_DEMO, {"--to", redis_.url()}},
      {WEIR_PUBLISH_DEMO, {"--to", "redis://u:secret@:x", "--channel", "news"}},
      {WEIR_PUBLISH_DEMO, {"--to", "ftp://u:secret@host", "--channel", "news"}},
      {WEIR_PUBLISH_DEMO, {"--to", "https://u:secret@host", "--channel", "news"}},
      {WEIR_PUBLISH_DEMO, {"--to", redis_.url(), "--channel", "two words"}},
      {WEIR_PUBLISH_DEMO, arguments({"--redis-ca-file", "/etc/hosts"})},
      {WEIR_PUBLISH_DEMO, arguments({"--redis-password-file", "/nowhere"})},
      {WEIR_PUBLISH_DEMO, {"--to", "http://host", "--channel", "news", "--redis-ca-file", "/etc/hosts"}},
      {WEIR_PUBLISH_DEMO, {"--to", "rediss://host", "--channel", "news", "--redis-ca-file", "/nowhere"}},
      {WEIR_PUBLISH_DEMO, {"--to", "redis://secret@host", "--channel", "news"}},
      {WEIR_PUBLISH_DEMO, {"--to", redis_.url(), "--channel", "news", "--nonsense"}},
      {WEIR_PUBLISH_DEMO, {"--to", redis_.url(), "--channel", "news", "--words-per-second", "0"}},
      {WEIR_PUBLISH_DEMO, {"--to", redis_.url(), "--channel", "."}},
      {WEIR_PUBLISH_DEMO, {"--to", redis_.url(), "--channel", ".."}},
      {WEIR_PUBLISH_DEMO, arguments({"--metrics-listen", "here"})},
      {WEIR_PUBLISH_DEMO, arguments({"--metrics-listen", redis_.url().substr(8)})},
      {WEIR_PUBLISH_DEMO, arguments({"--log-format", "xml"})},
      {WEIR_PUBLISH_LOG, {"--to", redis_.url(), "--channel", "news"}},
      {WEIR_PUBLISH_FILE, {"--to", redis_.url(), "--channel", "news"}},
      {WEIR_PUBLISH_FILE, {"--to", redis_.url(), "--channel", "news", "--form", "scroll", "file"}},
  };
  for (const auto& [path, words] : cases) {
    Program program(path, words);
    EXPECT_EQ(program.wait(), 2);
    const std::string errors = program.errors();
    EXPECT_EQ(errors.find('\n'), errors.size() - 1) << errors;
    EXPECT_EQ(errors.find(std::filesystem::path(path).filename().string() + ": "), 0U) << errors;
    EXPECT_EQ(errors.find("secret"), std::string::npos) << errors;
  }
}

TEST_F(ProgramTest, PublishesOverTlsWithThePasswordFromAFile) {
  CertificateAuthority ca;
  const auto shown = ca.issue("IP:127.0.0.1");
  RedisServer::Options options;
  options.password = "sesame-open";
  options.tls = RedisServer::Options::Tls{shown.certificate, shown.key, {}};
  const RedisServer redis(options);
  folder_.append("sesame-open\n", "password");
  folder_.append("one two three ", "text");
  Program demo(WEIR_PUBLISH_DEMO, {"--to", redis.tls_url(), "--channel", "news", "--redis-ca-file", ca.file(),
                                   "--redis-password-file", folder_.path("password"), "--words",
                                   folder_.path("text"), "--words-per-second", "1000"});
  EXPECT_EQ(demo.wait(), 0) << demo.errors();
  EXPECT_NE(redis.command({"INFO", "commandstats"}).find("cmdstat_publish:calls=3,"), std::string::npos);
  EXPECT_EQ(demo.errors().find("sesame"), std::string::npos) << demo.errors();
}

TEST_F(ProgramTest, WhatCannotBePublishedIsExitCodeOne) {
  RedisServer::Options options;
  options.is_started = false;
  const RedisServer away(options);
  const std::string missing = folder_.path("missing");
  const std::vector<std::pair<const char*, Payloads>> cases{
      {WEIR_PUBLISH_DEMO, {"--to", away.url(), "--channel", "news", "--retry-seconds", "1"}},
      {WEIR_PUBLISH_DEMO,
       {"--to", "http" + away.url().substr(5), "--channel", "news", "--retry-seconds", "1"}},
      {WEIR_PUBLISH_DEMO, {"--to", "unix://" + missing, "--channel", "news", "--retry-seconds", "1"}},
      {WEIR_PUBLISH_DEMO, {"--to", "redis://u:secret@" + redis_.url().substr(8), "--channel", "news"}},
      {WEIR_PUBLISH_DEMO, arguments({"--words", missing})},
      {WEIR_PUBLISH_FILE, arguments({missing})},
      {WEIR_PUBLISH_FILE, arguments({folder_.path("")})},
      {WEIR_PUBLISH_LOG, arguments({missing, "--follow=false"})},
  };
  for (const auto& [path, words] : cases) {
    Program program(path, words);
    EXPECT_EQ(program.wait(), 1) << program.errors();
    EXPECT_NE(program.errors().find(": error: "), std::string::npos);
    EXPECT_EQ(program.errors().find("secret"), std::string::npos) << program.errors();
  }
}

TEST_F(ProgramTest, ANameOfAFileMakesNoSecondLineOfTheLog) {
  const std::string missing = folder_.path("missing\nweir: error: forged");
  const std::vector<std::pair<const char*, Payloads>> cases{
      {WEIR_PUBLISH_DEMO, arguments({"--words", missing})},
      {WEIR_PUBLISH_FILE, arguments({missing})},
      {WEIR_PUBLISH_LOG, arguments({missing, "--follow=false"})},
  };
  for (const auto& [path, words] : cases) {
    Program program(path, words);
    EXPECT_EQ(program.wait(), 1);
    EXPECT_NE(program.errors().find("missing\\nweir: error: forged"), std::string::npos) << program.errors();
    EXPECT_EQ(program.errors().find("\nweir: error: "), std::string::npos) << program.errors();
  }
}

TEST_F(ProgramTest, ShowsItsMetrics) {
  folder_.append("one two three", "text");
  Program demo(WEIR_PUBLISH_DEMO,
               arguments({"--words", folder_.path("text"), "--words-per-second", "1000", "--repeat",
                          "--repeat-pause-seconds", "3600", "--metrics-listen", "127.0.0.1:0"}));
  ASSERT_TRUE(demo.await_error("metrics at http://"));
  const std::string errors = demo.errors();
  const auto at = errors.find("http://127");
  httplib::Client client(errors.substr(at, errors.find("/metrics", at) - at));
  EXPECT_TRUE(eventually([&] {
    const auto page = client.Get("/metrics");
    return page && page->body.find("\nweir_publisher_messages_published_total 3\n") != std::string::npos;
  }));
  EXPECT_EQ(client.Get("/healthz")->status, 200);
  demo.signal(SIGTERM);
  EXPECT_EQ(demo.wait(), 0);
}

TEST_F(ProgramTest, LogsAJsonObjectALineIfAskedTo) {
  const std::string missing = folder_.path("missing\n\"x\"");
  Program demo(WEIR_PUBLISH_DEMO, arguments({"--words", missing, "--log-format", "json"}));
  EXPECT_EQ(demo.wait(), 1);
  std::istringstream lines(demo.errors());
  std::vector<nlohmann::json> objects;
  for (std::string line; std::getline(lines, line);) objects.push_back(nlohmann::json::parse(line));
  ASSERT_GE(objects.size(), 2U);
  const auto& error = objects[1];
  EXPECT_EQ(error["level"], "error");
  EXPECT_EQ(error["program"], "weir-publish-demo");
  EXPECT_NE(error["msg"].get<std::string>().find("missing\\n\"x\""), std::string::npos) << error;
  EXPECT_EQ(error["time"].get<std::string>().size(), std::string("2026-05-01T12:34:56.789Z").size()) << error;
}

TEST_F(ProgramTest, AStandardDescriptorThatIsClosedBecomesNoSocket) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"0<&-", "0"}, {"1>&-", "1"}, {"2>&-", "2"}, {"0<&- 1>&- 2>&-", "012"}};
  for (const auto& [redirection, closed] : cases) {
    Subscriber subscriber(redis_, "news");
    std::string command = std::string("exec ") + WEIR_PUBLISH_DEMO;
    for (const auto& word : arguments({"--repeat"})) command += " " + word;
    Program demo("/bin/sh", {"-c", command + " " + redirection});
    EXPECT_EQ(subscriber.take(1), Payloads{R"({"msg":"aaa"})"}) << redirection;
    for (const char descriptor : closed) {
      const std::string path = "/proc/" + std::to_string(demo.pid()) + "/fd/" + descriptor;
      std::error_code none;
      EXPECT_EQ(std::filesystem::read_symlink(path, none), "/dev/null") << redirection << " " << path;
    }
    demo.signal(SIGTERM);
    EXPECT_EQ(demo.wait(), 0) << redirection;
  }
}

TEST(PublisherDocs, NameEverySettingOfEveryProgram) {
  std::ifstream file(WEIR_SOURCE_DIR "/docs/publishers.md");
  const std::string docs{std::istreambuf_iterator<char>(file), {}};
  for (const char* program : {WEIR_PUBLISH_DEMO, WEIR_PUBLISH_LOG, WEIR_PUBLISH_FILE}) {
    std::istringstream help(output_of(program + std::string(" --help")));
    std::size_t flags = 0;
    // "  --retry-seconds, WEIR_RETRY_SECONDS (…)"
    for (std::string row; std::getline(help, row);) {
      if (!row.starts_with("  --") || row.find(", WEIR_") == std::string::npos) continue;
      const std::string name = row.substr(2, row.find(',') - 2);
      if (name == "--file") continue;  // It is the argument of the headings.
      EXPECT_NE(docs.find("`" + name), std::string::npos) << name;
      ++flags;
    }
    EXPECT_GE(flags, 9U) << program;
  }
}

TEST_F(ProgramTest, APublisherThatIsStartedBeforeRedisWaitsForIt) {
  redis_.kill();
  Program demo(WEIR_PUBLISH_DEMO, arguments());
  ASSERT_TRUE(demo.await_error("trying again"));
  redis_.start();
  EXPECT_EQ(demo.wait(), 0) << demo.errors();
}

TEST_F(ProgramTest, AStopEndsTheWaitForRedis) {
  redis_.kill();
  Program demo(WEIR_PUBLISH_DEMO, arguments());
  ASSERT_TRUE(demo.await_error("trying again"));
  demo.signal(SIGTERM);
  EXPECT_EQ(demo.wait(), 143);
}

}  // namespace
}  // namespace weir
