#include "broker/base/json.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "proto/envelope.h"

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

TEST(JsonObject, KeepsTheOrderOfItsMembers) {
  JsonObject json;
  json.add_text("z", "text").add_number("a", 18'446'744'073'709'551'615u).add_flag("m", true).add_null("b");
  EXPECT_EQ(json.text(), R"({"z":"text","a":18446744073709551615,"m":true,"b":null})");
  EXPECT_EQ(JsonObject().text(), "{}");
}

TEST(JsonObject, HoldsListsOfObjects) {
  std::vector<JsonObject> objects(2);
  objects[0].add_number("a", 1);
  JsonObject json;
  json.add_list("list", objects).add_list("none", {});
  EXPECT_EQ(json.text(), R"({"list":[{"a":1},{}],"none":[]})");
}

TEST(JsonObject, RoundsToTenths) {
  const auto rounded = [](double number) { return JsonObject().add_tenths("s", number).text(); };
  EXPECT_EQ(rounded(0), R"({"s":0.0})");
  EXPECT_EQ(rounded(7.89), R"({"s":7.9})");
  EXPECT_EQ(rounded(0.25), R"({"s":0.2})") << "As printf does: to even.";
  EXPECT_EQ(rounded(0.35), R"({"s":0.3})") << "The nearest double is less.";
  EXPECT_EQ(rounded(86'400), R"({"s":86400.0})");
}

// Replies show what clients sent, so the bytes of a text are those that proto's writer makes.
TEST(JsonObject, WritesAnyBytesAsJsonStringDoes) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  for (const std::string& text : {all, std::string("\xe2\x82 \xf0\x9f\x98 \xed\xa0\x80 \xc0\xaf \xff\xff"),
                                  std::string("\"\\/\b\f\n\r\t\x01\x7f"), std::string("\0x", 2),
                                  std::string("\u00e4 \u2028 \U0001f600"), std::string()}) {
    EXPECT_EQ(JsonObject().add_text("t", text).text(), "{\"t\":" + json_string(text) + "}");
  }
}

}  // namespace
}  // namespace weir
