#include "publishers/log/line_encoder.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(LineEncoder, NamesTheFile) {
  const LineEncoder encoder("/var/log/a \"b\".log", false);
  EXPECT_EQ(encoder.encode({"x"}), R"({"msg":"x","file":"/var/log/a \"b\".log"})");
  EXPECT_EQ(encoder.encode({"x", true}), R"({"msg":"x","more":true,"file":"/var/log/a \"b\".log"})");
  EXPECT_EQ(LineEncoder("", false).encode({R"({"a":1})"}), R"({"msg":"{\"a\":1}"})");
}

TEST(LineEncoder, PassesJsonObjectsAsTheyStand) {
  const LineEncoder encoder("app.log", true);
  for (const char* line : {R"({"a":1})", R"(  {"data":{"n":1e999}} )", "{}", R"({"type":"x","data":"y"})"}) {
    EXPECT_EQ(encoder.encode({line}), line);
    EXPECT_FALSE(encoder.can_be_cut({line}));
  }
  for (const char* line : {"[1]", "1", "\"x\"", "{", R"({"a":1} x)", "", "{\"a\":\"\xFF\"}"}) {
    EXPECT_TRUE(encoder.encode({line}).starts_with(R"({"msg":")")) << line;
    EXPECT_TRUE(encoder.can_be_cut({line}));
  }
  EXPECT_TRUE(encoder.encode({"{}", true}).starts_with(R"({"msg":"{}")"))
      << "It is the start of a longer line.";
}

TEST(LineEncoder, LetsNoLineEndTheChannel) {
  const LineEncoder encoder("", true);
  EXPECT_EQ(encoder.encode({R"({"type":"weir:end"})"}), R"({"msg":"{\"type\":\"weir:end\"}"})");
  EXPECT_EQ(encoder.encode({R"({"type":"\u0077eir:end","data":1})"}),
            R"({"msg":"{\"type\":\"\\u0077eir:end\",\"data\":1}"})");
}

}  // namespace
}  // namespace weir
