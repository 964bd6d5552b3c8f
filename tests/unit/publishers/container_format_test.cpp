#include "publishers/log/container_format.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir {
namespace {

using Lines = std::vector<Line>;

Lines added(ContainerLines& format, const std::vector<std::string>& texts) {
  Lines lines;
  for (const auto& text : texts) format.add({text, false}, lines);
  return lines;
}

const std::string kTime = "2026-11-30T10:00:00.123456789Z ";

TEST(ContainerLines, UnwrapsALineOfCri) {
  ContainerLines format(ContainerFormat::kCri, 1'000);
  EXPECT_EQ(added(format, {kTime + "stdout F hello  world ", kTime + "stderr F ", kTime + "stdout F:x tagged",
                           "2026-11-30T10:00:00+01:00 stdout F zoned"}),
            (Lines{{"hello  world "}, {""}, {"tagged"}, {"zoned"}}));
}

TEST(ContainerLines, PutsThePartsOfEachStreamTogether) {
  ContainerLines format(ContainerFormat::kCri, 1'000);
  EXPECT_EQ(added(format, {kTime + "stdout P one ", kTime + "stderr P uno ", kTime + "stdout P two "}),
            Lines{});
  EXPECT_TRUE(format.has_pending());
  EXPECT_EQ(added(format, {kTime + "stdout F three"}), (Lines{{"one two three"}}));
  EXPECT_TRUE(format.has_pending());
  EXPECT_EQ(added(format, {kTime + "stderr F due"}), (Lines{{"uno due"}}));
  EXPECT_FALSE(format.has_pending());
}

TEST(ContainerLines, GivesALineThePlaceOfItsFirstPart) {
  ContainerLines format(ContainerFormat::kDocker, 4);
  Lines lines;
  format.add({R"({"log":"ab","stream":"stdout"})", false, {.offset = 10}}, lines);
  format.add({R"({"log":"x\n","stream":"stderr"})", false, {.offset = 20}}, lines);
  format.add({R"({"log":"cdef\ng","stream":"stdout"})", false, {.offset = 30}}, lines);
  format.add({R"({"log":"h\n","stream":"stdout"})", false, {.offset = 40}}, lines);
  format.add({R"({"log":"i\n","stream":"stdout"})", false, {.offset = 50}}, lines);
  format.add({"plain", false, {.offset = 60}}, lines);
  std::vector<std::string> places;
  for (const Line& line : lines) {
    places.push_back(line.text + " " + std::to_string(line.place.offset) + "." +
                     std::to_string(line.place.part));
  }
  EXPECT_EQ(places,
            (std::vector<std::string>{"x 20.0", "abcd 10.0", "ef 10.1", "gh 10.2", "i 50.0", "plain 60.0"}));
}

TEST(ContainerLines, PublishesWhatIsNotInTheFormatAsItIs) {
  ContainerLines format(ContainerFormat::kCri, 1'000);
  EXPECT_EQ(added(format, {"plain", "", kTime + "stdin F x", kTime + "stdout X x", "no time stdout F x"}),
            (Lines{{"plain"}, {""}, {kTime + "stdin F x"}, {kTime + "stdout X x"}, {"no time stdout F x"}}));
  EXPECT_EQ(added(format, {kTime + "stdout P half", "plain"}), (Lines{{"half"}, {"plain"}}));
}

TEST(ContainerLines, GivesUpWaitingForALastPartThatDoesNotCome) {
  ContainerLines format(ContainerFormat::kCri, 1'000);
  added(format, {kTime + "stdout P half"});
  const std::vector<std::string> others(ContainerLines::kPendingLinesMax, kTime + "stderr F x");
  const auto lines = added(format, others);
  EXPECT_EQ(lines.size(), others.size() + 1);
  EXPECT_EQ(lines.back(), (Line{"half"}));
  EXPECT_FALSE(format.has_pending());
}

TEST(ContainerLines, CutsALineThatIsTooLongWhenItsPartsArePutTogether) {
  ContainerLines format(ContainerFormat::kCri, 4);
  EXPECT_EQ(added(format, {kTime + "stdout P abc", kTime + "stdout P def", kTime + "stdout F gh"}),
            (Lines{{"abcd", true}, {"efgh"}}));
}

TEST(ContainerLines, UnwrapsDockersJson) {
  ContainerLines format(ContainerFormat::kDocker, 1'000);
  EXPECT_EQ(added(format, {R"({"log":"a \"b\" \u00e9\n","stream":"stdout","time":"2026-11-30T10:00:00Z"})",
                           R"({"log":"part ","stream":"stdout","time":"t"})",
                           R"({"log":"err\n","stream":"stderr","attrs":{"x":[1]},"time":"t"})",
                           R"({"log":"whole\r\n","stream":"stdout","time":"t"})"}),
            (Lines{{"a \"b\" \xC3\xA9"}, {"err"}, {"part whole"}}));
}

TEST(ContainerLines, PublishesWhatIsNotDockersJsonAsItIs) {
  ContainerLines format(ContainerFormat::kDocker, 1'000);
  const std::vector<std::string> odd{"plain", "{}", R"({"log":1})", R"({"log":"x\n"} y)", R"({"log":"x\n")"};
  Lines expected;
  for (const auto& text : odd) expected.push_back({text});
  EXPECT_EQ(added(format, odd), expected);
}

TEST(ContainerLines, PublishesThePiecesOfALineThatWasCut) {
  ContainerLines format(ContainerFormat::kDocker, 1'000);
  Lines lines;
  format.add({R"({"log":"very lo)", true}, lines);
  format.add({R"(ng\n"})", false}, lines);
  format.add({R"({"log":"next\n"})", false}, lines);
  EXPECT_EQ(lines, (Lines{{R"({"log":"very lo)", true}, {R"(ng\n"})"}, {"next"}}));
}

TEST(ContainerLines, PublishesWhatWaitsAtTheEnd) {
  ContainerLines format(ContainerFormat::kDocker, 1'000);
  Lines lines = added(format, {R"({"log":"half","stream":"stderr"})"});
  format.finish(lines);
  EXPECT_EQ(lines, (Lines{{"half"}}));
  EXPECT_FALSE(format.has_pending());
}

}  // namespace
}  // namespace weir
