#include "proto/text.h"

#include <gtest/gtest.h>

#include "vectors.h"

namespace weir {
namespace {

TEST(Trim, TakesBlanksOffBothEndsAlone) {
  EXPECT_EQ(trim(" \ta b\t "), "a b");
  EXPECT_EQ(trim("a"), "a");
  EXPECT_EQ(trim(" \t "), "");
  EXPECT_EQ(trim(""), "");
  EXPECT_EQ(trim("\ra\n"), "\ra\n");
  EXPECT_EQ(trim("\ra\n", "\r\n"), "a");
}

TEST(TakeUntil, TakesThePartAndItsSeparator) {
  std::string_view rest = "a,,b";
  EXPECT_EQ(take_until(rest, ','), "a");
  EXPECT_EQ(take_until(rest, ','), "");
  EXPECT_EQ(rest, "b");
  EXPECT_EQ(take_until(rest, ','), "b");
  EXPECT_EQ(rest, "");
  EXPECT_EQ(take_until(rest, ','), "");
}

TEST(TakeUntil, TakesASeparatorOfSeveralCharactersAsAWhole) {
  std::string_view rest = "a\rb\r\nc";
  EXPECT_EQ(take_until(rest, "\r\n"), "a\rb");
  EXPECT_EQ(take_until(rest, "\r\n"), "c");
  EXPECT_EQ(rest, "");
}

TEST(PercentDecode, DecodesAsTheVectorsSay) {
  for (const auto& vector : load_vectors("channel_names.json", "decode")) {
    const std::string text = vector.at("text");
    std::optional<std::string> expected;
    if (!vector.at("decoded").is_null()) expected = vector.at("decoded");
    EXPECT_EQ(percent_decode(text), expected) << text;
  }
}

}  // namespace
}  // namespace weir
