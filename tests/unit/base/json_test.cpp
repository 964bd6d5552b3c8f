#include "broker/base/json.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

using Kind = Json::Kind;

std::string why_not(const std::string& text) {
  const auto json = parse_json(text);
  return json ? "" : json.error().message;
}

TEST(Json, IsReadAsItIsNested) {
  const auto json = parse_json(R"({"a":[1,-2,0.5,true,null,{"b":"c"}],"d":{}})");
  ASSERT_TRUE(json);
  ASSERT_TRUE(json->is(Kind::kObject));
  const Json* a = json->find("a");
  ASSERT_NE(a, nullptr);
  ASSERT_EQ(a->values.size(), 6U);
  EXPECT_EQ(a->values[0].number, 1);
  EXPECT_EQ(a->values[1].number, -2);
  EXPECT_EQ(a->values[2].number, 0.5);
  EXPECT_TRUE(a->values[3].is(Kind::kBoolean));
  EXPECT_TRUE(a->values[4].is(Kind::kNull));
  ASSERT_NE(a->values[5].find("b"), nullptr);
  EXPECT_EQ(a->values[5].find("b")->text, "c");
  EXPECT_TRUE(json->find("d")->is(Kind::kObject));
  EXPECT_EQ(json->find("x"), nullptr);
  EXPECT_EQ(a->find("x"), nullptr);
}

TEST(Json, WithTwoMembersOfOneNameIsNone) {
  EXPECT_NE(why_not(R"({"exp":1,"exp":2})").find("two members"), std::string::npos);
  EXPECT_NE(why_not(R"({"a":{"b":1,"\u0062":2}})").find("two members"), std::string::npos);
  EXPECT_EQ(why_not(R"([{"a":1},{"a":2}])"), "");
}

TEST(Json, HasLimits) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_EQ(why_not(nested(kJsonDepthMax)), "");
  EXPECT_NE(why_not(nested(kJsonDepthMax + 1)).find("too deeply"), std::string::npos);
  EXPECT_NE(why_not(std::string(1'000'000, '[')).find("too deeply"), std::string::npos);
  std::string many = "[0";
  for (std::size_t i = 0; i + 2 < kJsonValuesMax; ++i) many += ",0";
  EXPECT_EQ(why_not(many + "]"), "");
  EXPECT_NE(why_not(many + ",0]").find("too many values"), std::string::npos);
  std::string members = "{\"n\":0";
  for (std::size_t i = 0; i + 1 < kJsonMembersMax; ++i) members += ",\"" + std::to_string(i) + "\":0";
  EXPECT_EQ(why_not(members + "}"), "");
  EXPECT_NE(why_not(members + ",\"x\":0}").find("too many members"), std::string::npos);
}

TEST(Json, IsNothingElse) {
  for (const char* text : {"", " ", "{", "{]", "{\"a\":}", "[1,]", "{\"a\":1}x", "1e999", "-1e999", "NaN",
                           "Infinity", "'a'", "{a:1}", "\"\\ud800\"", "\"\xff\"", "01", "/**/1"}) {
    EXPECT_EQ(why_not(text), "is not JSON") << text;
  }
  using namespace std::string_literals;
  for (const auto& text : {"1\0"s, "{}\0{}"s, "\0"s, "\"\0\""s}) EXPECT_EQ(why_not(text), "is not JSON");
}

}  // namespace
}  // namespace weir
