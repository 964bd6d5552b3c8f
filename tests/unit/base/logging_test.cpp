#include "broker/base/logging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

constexpr const char* kTime =
    "20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9]Z";

class Logging : public testing::Test {
 protected:
  ~Logging() override { start_logging(LogLevel::kInfo, LogFormat::kText); }

  template <typename Log>
  static std::string logged(Log log) {
    testing::internal::CaptureStderr();
    log();
    return testing::internal::GetCapturedStderr();
  }
};

TEST_F(Logging, WritesTimeLevelAndMessageAsText) {
  start_logging(LogLevel::kDebug, LogFormat::kText);
  EXPECT_THAT(logged([] { log_warning("disk {} is full %s"); }),
              MatchesRegex(std::string(kTime) + " warning disk \\{\\} is full %s\n"));
  EXPECT_THAT(logged([] { log_debug("d"); }), HasSubstr(" debug d\n"));
  EXPECT_THAT(logged([] { log_info("i"); }), HasSubstr(" info i\n"));
  EXPECT_THAT(logged([] { log_error("e"); }), HasSubstr(" error e\n"));
}

TEST_F(Logging, WritesOneJsonObjectALine) {
  start_logging(LogLevel::kInfo, LogFormat::kJson);
  EXPECT_THAT(logged([] { log_error("x"); }), MatchesRegex("\\{\"time\":\"" + std::string(kTime) +
                                                           "\",\"level\":\"error\",\"msg\":\"x\"\\}\n"));
}

TEST_F(Logging, WritesFieldsAsWordsAndAsMembers) {
  const auto log = [] {
    log_info("stream ended", {{"channel", "user:42"},
                              {"seconds", 1.5},
                              {"messages", std::uint64_t{7}},
                              {"empty", ""},
                              {"odd", "a \"b\"\n\xff"}});
  };
  start_logging(LogLevel::kInfo, LogFormat::kText);
  EXPECT_THAT(logged(log), HasSubstr(" info stream ended channel=user:42 seconds=1.500 messages=7 empty=\"\" "
                                     "odd=\"a \\\"b\\\"\\n\xEF\xBF\xBD\"\n"));
  start_logging(LogLevel::kInfo, LogFormat::kJson);
  EXPECT_THAT(logged(log),
              HasSubstr("\"msg\":\"stream ended\",\"channel\":\"user:42\",\"seconds\":1.500,"
                        "\"messages\":7,\"empty\":\"\",\"odd\":\"a \\\"b\\\"\\n\xEF\xBF\xBD\"}\n"));
}

TEST_F(Logging, KeepsAnyMessageOnOneLine) {
  const std::string nasty("a\nb\r\"\\\0\x1b\xff", 9);
  start_logging(LogLevel::kInfo, LogFormat::kText);
  EXPECT_THAT(logged([&] { log_info(nasty); }), HasSubstr(" info a?b?\"\\??\xEF\xBF\xBD\n"));
  start_logging(LogLevel::kInfo, LogFormat::kJson);
  EXPECT_THAT(logged([&] { log_info(nasty); }),
              HasSubstr("\"msg\":\"a\\nb\\r\\\"\\\\\\u0000\\u001b\xEF\xBF\xBD\"}\n"));
}

TEST_F(Logging, HidesTokensAndPasswordsWhereverTheyAre) {
  const auto log = [] {
    log_info("at redis://u:secret@h for eyJh.eyJi.c2ln",
             {{"plain", "eyJh.eyJi.c2ln"}, {"odd", "x eyJh.eyJi.c2ln"}});
  };
  for (const LogFormat format : {LogFormat::kText, LogFormat::kJson}) {
    start_logging(LogLevel::kInfo, format);
    const std::string line = logged(log);
    EXPECT_THAT(line, HasSubstr("at redis://u:***@h for (redacted)"));
    EXPECT_THAT(line, HasSubstr("x (redacted)"));
    EXPECT_THAT(line, testing::Not(HasSubstr("eyJ")));
  }
}

TEST_F(Logging, LeavesOutWhatIsBelowTheLevel) {
  start_logging(LogLevel::kWarning, LogFormat::kText);
  EXPECT_EQ(logged([] { log_info("i"); }), "");
  EXPECT_FALSE(is_logged(LogLevel::kInfo));
  EXPECT_TRUE(is_logged(LogLevel::kWarning));
  set_log_level(LogLevel::kDebug);
  EXPECT_THAT(logged([] { log_debug("d"); }), HasSubstr("d\n"));
  set_log_level(LogLevel::kOff);
  EXPECT_EQ(logged([] { log_error("e"); }), "");
  EXPECT_FALSE(is_logged(LogLevel::kError));
}

TEST_F(Logging, TellsTheLevelThatItHas) {
  for (const LogLevel level :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError, LogLevel::kOff}) {
    set_log_level(level);
    EXPECT_EQ(log_level(), level);
  }
}

}  // namespace
}  // namespace weir
