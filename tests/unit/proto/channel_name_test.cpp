#include "proto/channel_name.h"

#include <gtest/gtest.h>

#include "vectors.h"

namespace weir {
namespace {

TEST(ChannelName, IsWhatTheVectorsCallOne) {
  for (const std::string name : load_vectors("channel_names.json", "valid"))
    EXPECT_TRUE(is_channel_name(name)) << name;
  for (const std::string name : load_vectors("channel_names.json", "invalid"))
    EXPECT_FALSE(is_channel_name(name)) << name;
}

TEST(ChannelName, RuleNamesAllThatIsRefused) {
  for (const char* const refused : {"\"__\"", "\"weir:\"", "\".\"", "\"..\""}) {
    EXPECT_NE(std::string(kChannelNameRule).find(refused), std::string::npos) << refused;
  }
}

TEST(Pattern, MatchesWhatTheVectorsSay) {
  for (const auto& vector : load_vectors("patterns.json")) {
    const std::string pattern = vector.at("pattern");
    const std::string name = vector.at("name");
    EXPECT_EQ(matches_pattern(pattern, name), vector.at("matches").get<bool>()) << pattern << " on " << name;
  }
}

TEST(Pattern, OfManyStarsEndsOnANameThatNearlyMatches) {
  std::string pattern;
  for (int i = 0; i < 60; ++i) pattern += "*a";
  EXPECT_FALSE(matches_pattern(pattern + "b", std::string(128, 'a')));  // Backtracking would take 2^60 steps.
  EXPECT_TRUE(matches_pattern(pattern + "b", std::string(128, 'a') + "b"));
}

}  // namespace
}  // namespace weir
