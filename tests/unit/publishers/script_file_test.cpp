#include "publishers/demo/script_file.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

std::string why_not(std::string_view text) {
  const auto script = parse_script(text);
  return script ? "it is one" : script.error().message;
}

TEST(ScriptFile, TimesAreFromTheMessageBeforeOrFromTheStart) {
  const auto script = parse_script(
      "{\"delay_ms\":10,\"message\":1}\n"
      "{\"delay_ms\":0.5,\"message\":2}\n"
      "{\"message\":3}\n"
      "{\"at_ms\":1e3,\"message\":4}\n"
      "{\"message\":5,\"delay_ms\":1}");
  ASSERT_TRUE(script) << script.error().message;
  std::vector<microseconds> times;
  for (const auto& step : *script) times.push_back(step.at);
  EXPECT_EQ(times,
            (std::vector<microseconds>{microseconds(10'000), microseconds(10'500), microseconds(10'500),
                                       microseconds(1'000'000), microseconds(1'001'000)}));
}

TEST(ScriptFile, AMessageIsWhatIsWrittenThere) {
  const auto script = parse_script(R"({ "message" : {"a" :1.50, "b":"\u00e9\/"} }
{"message":"text"}
{"message":[1e999, null]}
)");
  ASSERT_TRUE(script) << script.error().message;
  ASSERT_EQ(script->size(), 3U);
  EXPECT_EQ(script->at(0).payload, R"({"a" :1.50, "b":"\u00e9\/"})");
  EXPECT_EQ(script->at(1).payload, R"("text")");
  EXPECT_EQ(script->at(2).payload, "[1e999, null]");
}

TEST(ScriptFile, BlankLinesLineEndsOfWindowsAndAByteOrderMarkAreNoMessages) {
  const auto script = parse_script("\xEF\xBB\xBF\r\n \t\n{\"message\":1}\r\n\r\n{\"message\":2}\n\n");
  ASSERT_TRUE(script) << script.error().message;
  EXPECT_EQ(script->size(), 2U);
}

TEST(ScriptFile, ErrorsNameTheLineAndWhatIsWrong) {
  const std::string good = "{\"message\":1}\n\n";
  EXPECT_EQ(why_not(good + "message"), "line 3 is not a JSON object");
  EXPECT_EQ(why_not(good + "[1]"), "line 3 is not a JSON object");
  EXPECT_EQ(why_not(good + "{\"message\":{}"), "line 3 is not a JSON object");
  EXPECT_EQ(why_not(good + "{\"message\":{}} x"), "line 3 is not a JSON object");
  EXPECT_EQ(why_not(good + "{\"message\":}"), "line 3 is not a JSON object");
  EXPECT_EQ(why_not(good + "{\"message\":\"\xFF\"}"), "line 3 is not UTF-8");
  EXPECT_EQ(why_not(good + "{}"), "line 3 has no \"message\"");
  EXPECT_EQ(why_not(good + "{\"delay_ms\":1}"), "line 3 has no \"message\"");
  EXPECT_EQ(why_not(good + "{\"message\":1,\"message\":2}"), "line 3 has \"message\" twice");
  EXPECT_EQ(why_not(good + "{\"message\":1,\"delay\":2}"),
            "line 3 has the key \"delay\": only delay_ms, at_ms and message are known");
  EXPECT_EQ(why_not(good + R"({"a\nb":1})"),
            R"(line 3 has the key "a\nb": only delay_ms, at_ms and message are known)");
  EXPECT_EQ(why_not(good + "{\"message\":1,\"delay_ms\":2,\"at_ms\":3}"),
            "line 3 has both delay_ms and at_ms");
  EXPECT_EQ(why_not("{\"at_ms\":5,\"message\":1}\n{\"at_ms\":4,\"message\":1}"),
            "line 2 at_ms is before the message above it");
  EXPECT_EQ(why_not(""), "has no message");
  EXPECT_EQ(why_not("\n \n"), "has no message");
}

TEST(ScriptFile, TimesAreNumbersOfAtMostThirtyDays) {
  for (const std::string time : {"-1", "\"1\"", "2592000001", "1e999", "null", "[]"}) {
    EXPECT_EQ(why_not("{\"message\":1,\"delay_ms\":" + time + "}"),
              "line 1 delay_ms must be a number from 0 to 2592000000");
    EXPECT_EQ(why_not("{\"message\":1,\"at_ms\":" + time + "}"),
              "line 1 at_ms must be a number from 0 to 2592000000");
  }
  EXPECT_EQ(why_not("{\"message\":1,\"at_ms\":2592000000}\n{\"message\":1,\"delay_ms\":1}"),
            "line 2 comes more than 30 days after the start");
}

TEST(ScriptFile, HasALimit) {
  std::string text;
  for (std::size_t i = 0; i < kScriptStepsMax; ++i) text += "{\"message\":1}\n";
  EXPECT_EQ(why_not(text), "it is one");
  EXPECT_EQ(why_not(text + "{\"message\":1}"),
            "line 100001 is one too many: a script has at most 100000 messages");
}

}  // namespace
}  // namespace weir
