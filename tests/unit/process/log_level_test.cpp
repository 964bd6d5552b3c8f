#include "process/log_level.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(LogLevel, HasOneNameForEachLevel) {
  for (const char* name : {"debug", "info", "warning", "error", "off"}) {
    const auto level = parse_log_level(name);
    ASSERT_TRUE(level) << name;
    EXPECT_STREQ(log_level_name(*level), name);
  }
}

TEST(LogLevel, UnderstandsWhatOtherProgramsCallIt) {
  EXPECT_EQ(parse_log_level("warn"), LogLevel::kWarning);
  EXPECT_EQ(parse_log_level("trace"), LogLevel::kDebug);
  EXPECT_STREQ(log_level_name(LogLevel::kWarning), "warning");
  EXPECT_STREQ(log_level_name(LogLevel::kDebug), "debug");
}

TEST(LogLevel, IsNoOtherWord) {
  for (const char* word : {"", "loud", "Info", "err", "critical", "warning "}) {
    EXPECT_FALSE(parse_log_level(word)) << word;
  }
}

}  // namespace
}  // namespace weir
