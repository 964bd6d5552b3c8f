#include "publishers/log/line_splitter.h"

#include <gtest/gtest.h>

#include <initializer_list>

namespace weir {
namespace {

using Lines = std::vector<Line>;

Lines split(std::initializer_list<std::string_view> reads, std::size_t line_bytes_max = 16) {
  LineSplitter splitter(line_bytes_max);
  Lines lines;
  for (const auto bytes : reads) splitter.add(bytes, lines);
  return lines;
}

TEST(LineSplitter, GivesWholeLinesOnly) {
  EXPECT_EQ(split({"one\ntw", "o\n\nthr"}), (Lines{{"one"}, {"two"}, {""}}));
}

TEST(LineSplitter, TakesTheCrOfACrlf) {
  EXPECT_EQ(split({"one\r\ntwo\r", "\nth\rree\n"}), (Lines{{"one"}, {"two"}, {"th\rree"}}));
}

TEST(LineSplitter, GivesTheLastLineWhenTheLogHasEnded) {
  LineSplitter splitter(16);
  Lines lines;
  splitter.add("one\ntwo", lines);
  EXPECT_TRUE(splitter.has_partial_line());
  splitter.finish(lines);
  splitter.finish(lines);
  EXPECT_EQ(lines, (Lines{{"one"}, {"two"}}));
}

TEST(LineSplitter, CutsALongLineIntoPiecesAndLosesNothing) {
  EXPECT_EQ(split({"0123456789abcdef0123456789abcdefXY\n"}),
            (Lines{{"0123456789abcdef", true}, {"0123456789abcdef", true}, {"XY", false}}));
}

TEST(LineSplitter, DoesNotCutALineOfExactlyTheLimit) {
  EXPECT_EQ(split({"0123456789abcdef\n"}), (Lines{{"0123456789abcdef"}}));
  EXPECT_EQ(split({"0123456789abcdef\r", "\n"}), (Lines{{"0123456789abcdef"}}));
  // Of two at the end, one belongs to the line.
  EXPECT_EQ(split({"0123456789abcdef\r", "\r\n"}), (Lines{{"0123456789abcdef", true}, {"\r"}}));
  EXPECT_EQ(split({"0123456789abcdef\r\r\n"}), (Lines{{"0123456789abcdef", true}, {"\r"}}));
}

TEST(LineSplitter, CutsBetweenCharacters) {
  EXPECT_EQ(split({"0123456789abcde\xC3\xA9xyz\n"}),
            (Lines{{"0123456789abcde", true}, {"\xC3\xA9xyz", false}}));
}

TEST(LineSplitter, StopsAtTheLinesAskedFor) {
  LineSplitter splitter(16);
  Lines lines;
  EXPECT_EQ(splitter.add("one\ntwo\nthree\n", lines, 2), 8U);
  EXPECT_EQ(lines, (Lines{{"one"}, {"two"}}));
}

TEST(LineSplitter, KeepsALoneCrAtTheEnd) {
  LineSplitter splitter(16);
  Lines lines;
  splitter.add("one\r", lines);
  splitter.finish(lines);
  EXPECT_EQ(lines, (Lines{{"one\r"}}));
}

TEST(LineSplitter, HoldsNoMoreThanALineOfTheLimit) {
  LineSplitter splitter(16);
  Lines lines;
  std::string text;
  for (int i = 0; i < 1'000; ++i) splitter.add("0123456789", lines);
  splitter.add("\n", lines);
  for (const auto& line : lines) {
    EXPECT_LE(line.text.size(), 16U);
    text += line.text;
  }
  EXPECT_EQ(text.size(), 10'000U);
  EXPECT_FALSE(lines.back().continues);
}

TEST(EncodeLine, KeepsColoursAndEverythingElse) {
  EXPECT_EQ(encode_line({"\x1b[31mred\x1b[0m \"q\" \\ \t"}),
            "{\"msg\":\"\\u001b[31mred\\u001b[0m \\\"q\\\" \\\\ \\t\"}");
}

TEST(EncodeLine, MarksAPieceThatContinues) {
  EXPECT_EQ(encode_line({"a", true}), R"({"msg":"a","more":true})");
}

TEST(EncodeLine, ReplacesWhatIsNotUtf8) { EXPECT_EQ(encode_line({"a\xC3"}), "{\"msg\":\"a\xEF\xBF\xBD\"}"); }

}  // namespace
}  // namespace weir
