// weir-publish-demo with a script and at a rate, against a real Redis.
#include <csignal>
#include <nlohmann/json.hpp>

#include "tests/unit/publishers/program_fixture.h"

namespace weir {
namespace {

using Json = nlohmann::json;
using Payloads = std::vector<std::string>;

class DemoProgramTest : public ProgramTest {
 protected:
  std::vector<std::string> arguments_for_script(const std::string& script,
                                                std::vector<std::string> more = {}) const {
    folder_.append(script, "script");
    more.insert(more.end(), {"--script", folder_.path("script").string()});
    return arguments(more);
  }
};

TEST_F(DemoProgramTest, PlaysAScriptByteForByte) {
  Subscriber subscriber(redis_, "news");
  Program demo(WEIR_PUBLISH_DEMO, arguments_for_script("{\"message\":{\"a\" :1.50}}\n"
                                                       "{\"delay_ms\":5000,\"message\":\"b\"}\n"
                                                       "{\"at_ms\":10000,\"message\":{\"data\":1}}\n",
                                                       {"--speed", "1000", "--end"}));
  EXPECT_EQ(subscriber.take_until(kEnd), (Payloads{R"({"a" :1.50})", R"("b")", R"({"data":1})", kEnd}));
  EXPECT_EQ(demo.wait(), 0);
}

TEST_F(DemoProgramTest, RepeatsAScriptUntilItIsStopped) {
  Subscriber subscriber(redis_, "news");
  Program demo(WEIR_PUBLISH_DEMO, arguments_for_script("{\"message\":1}\n{\"message\":2}",
                                                       {"--repeat", "--repeat-pause-seconds", "0", "--end"}));
  EXPECT_EQ(subscriber.take(4), (Payloads{"1", "2", "1", "2"}));
  demo.signal(SIGTERM);
  EXPECT_EQ(subscriber.take_until(kEnd).back(), kEnd);
  EXPECT_EQ(demo.wait(), 0);
}

TEST_F(DemoProgramTest, PublishesNothingOfAScriptWithAMistake) {
  Subscriber subscriber(redis_, "news");
  Program demo(WEIR_PUBLISH_DEMO, arguments_for_script("{\"message\":1}\n{\"mesage\":2}", {"--end"}));
  EXPECT_EQ(demo.wait(), 1);
  EXPECT_NE(demo.errors().find("script\": line 2 has the key \"mesage\""), std::string::npos)
      << demo.errors();
  redis_.command({"PUBLISH", "news", "after"});
  EXPECT_EQ(subscriber.take_until("after"), Payloads{"after"});
}

TEST_F(DemoProgramTest, StampsTheMessagesOfAText) {
  folder_.append("word", "text");
  Subscriber subscriber(redis_, "news");
  Program demo(WEIR_PUBLISH_DEMO, arguments({"--words", folder_.path("text"), "--stamp"}));
  const auto message = subscriber.next();
  ASSERT_TRUE(message);
  EXPECT_EQ(Json::parse(*message).at("msg"), "word");
  EXPECT_GT(Json::parse(*message).at("time"), 1'700'000'000'000);
  EXPECT_EQ(demo.wait(), 0);
}

TEST_F(DemoProgramTest, PublishesNumberedMessagesOfASizeAtARate) {
  constexpr std::size_t kCount = 5'000;
  Subscriber subscriber(redis_, "news");
  Program demo(WEIR_PUBLISH_DEMO,
               arguments({"--rate", "100000", "--size", "200", "--count", std::to_string(kCount), "--end"}));
  const auto messages = subscriber.take_until(kEnd);
  ASSERT_EQ(messages.size(), kCount + 1);
  for (std::size_t i = 0; i < kCount; ++i) {
    EXPECT_EQ(messages[i].size(), 200U);
    const Json message = Json::parse(messages[i]);
    EXPECT_EQ(message.at("n"), i + 1);
    EXPECT_GT(message.at("time"), 1'700'000'000'000);
  }
  EXPECT_EQ(demo.wait(), 0);
}

TEST_F(DemoProgramTest, ARateWithoutACountIsDoneWhenItIsStopped) {
  Subscriber subscriber(redis_, "news");
  Program demo(WEIR_PUBLISH_DEMO, arguments({"--rate", "1000", "--end"}));
  EXPECT_EQ(subscriber.take(200).size(), 200U);
  demo.signal(SIGTERM);
  EXPECT_EQ(subscriber.take_until(kEnd).back(), kEnd);
  EXPECT_EQ(demo.wait(), 0);
}

TEST_F(DemoProgramTest, SettingsThatContradictAreWrongUsage) {
  folder_.append("{\"message\":1}", "file");
  const std::string file = folder_.path("file");
  struct Case {
    Payloads flags;
    std::string error;
  };
  const std::vector<Case> cases{
      {{"--script", file, "--words", file}, "(the flag --script): can't go with --words"},
      {{"--script", file, "--rate", "1"}, "(the flag --script): can't go with --rate"},
      {{"--words", file, "--rate", "1"}, "(the flag --words): can't go with --rate"},
      {{"--speed", "2", "--rate", "1"}, "(the flag --speed): can't go with --rate"},
      {{"--speed", "0"}, "must be a number from 0.01 to 1000"},
      {{"--speed", "nan"}, "must be a number from 0.01 to 1000"},
  };
  for (const auto& [flags, error] : cases) {
    Program demo(WEIR_PUBLISH_DEMO, arguments(flags));
    EXPECT_EQ(demo.wait(), 2);
    EXPECT_NE(demo.errors().find(error), std::string::npos) << demo.errors();
    EXPECT_EQ(demo.errors().find('\n'), demo.errors().size() - 1) << demo.errors();
  }
}

}  // namespace
}  // namespace weir
