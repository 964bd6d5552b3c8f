#include "publishers/demo/script.h"

#include <gtest/gtest.h>

#include <numeric>

namespace weir {
namespace {

using std::chrono::milliseconds;
using Words = std::vector<std::string>;

std::string joined(const Words& words) { return std::accumulate(words.begin(), words.end(), std::string()); }

TEST(DemoScript, SaysAaaAtOnceBbbAfterTwoAndCccAfterFiveSeconds) {
  const auto script = demo_script();
  ASSERT_EQ(script.size(), 3U);
  EXPECT_EQ(script[0].payload, R"({"msg":"aaa"})");
  EXPECT_EQ(script[1].payload, R"({"msg":"bbb"})");
  EXPECT_EQ(script[2].payload, R"({"msg":"ccc"})");
  EXPECT_EQ(script[0].at, milliseconds(0));
  EXPECT_EQ(script[1].at, milliseconds(2'000));
  EXPECT_EQ(script[2].at, milliseconds(5'000));
}

TEST(DemoScript, IsFasterAtASpeed) {
  EXPECT_EQ(at_speed(demo_script(), 2)[2].at, milliseconds(2'500));
  EXPECT_EQ(at_speed(demo_script(), 1'000)[1].at, milliseconds(2));
  EXPECT_EQ(at_speed(demo_script(), 0.01)[1].at, std::chrono::seconds(200));
  EXPECT_EQ(at_speed(demo_script(), 1)[1].payload, R"({"msg":"bbb"})");
}

TEST(Words, KeepTheWhiteSpaceAfterThem) {
  EXPECT_EQ(split_words("How  are\r\n\tyou?\n"), (Words{"How  ", "are\r\n\t", "you?\n"}));
}

TEST(Words, KeepTheWhiteSpaceBeforeTheFirstOne) {
  EXPECT_EQ(split_words("  a b"), (Words{"  a ", "b"}));
  EXPECT_EQ(split_words(" \n"), (Words{" \n"}));
  EXPECT_EQ(split_words(""), Words{});
}

TEST(Words, PutTogetherAreTheText) {
  std::string text = " start";
  for (unsigned char c = 1; c < 128; ++c) text += {static_cast<char>(c), ' ', static_cast<char>(c)};
  text += std::string(1'000, 'x') + "  \xF0\x9F\x8C\x8A end ";
  EXPECT_EQ(joined(split_words(text)), text);
}

TEST(Words, OfAScriptWithoutSpacesAreCutBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "\xE6\xB0\xB4";  // A character of three bytes.
  const auto words = split_words(text);
  EXPECT_EQ(joined(words), text);
  EXPECT_GT(words.size(), 1U);
  for (const auto& word : words) {
    EXPECT_LE(word.size(), kWordBytesMax);
    EXPECT_EQ(word.size() % 3, 0U);
  }
}

TEST(WordsScript, SpacesWordsEvenly) {
  const auto script = words_script("one two three", 20);
  ASSERT_EQ(script.size(), 3U);
  EXPECT_EQ(script[0].payload, R"({"msg":"one "})");
  EXPECT_EQ(script[2].payload, R"({"msg":"three"})");
  EXPECT_EQ(script[1].at, milliseconds(50));
  EXPECT_EQ(script[2].at, milliseconds(100));
}

TEST(WordsScript, ReplacesWhatIsNotUtf8) {
  EXPECT_EQ(words_script("a\xFF", 20).front().payload, "{\"msg\":\"a\xEF\xBF\xBD\"}");
}

}  // namespace
}  // namespace weir
