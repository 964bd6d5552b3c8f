#include "broker/auth/claims.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Time = std::chrono::system_clock::time_point;

constexpr Time kNow{seconds(1'800'000'000)};

Result<Claims> read(const std::string& payload, const std::string& audience = "", Time now = kNow) {
  const auto json = parse_json(payload);
  EXPECT_TRUE(json) << payload;
  return read_claims(*json, audience, now);
}

std::string why_not(const std::string& payload, const std::string& audience = "", Time now = kNow) {
  const auto claims = read(payload, audience, now);
  return claims ? "" : claims.error().message;
}

TEST(Claims, NeedATimeAtWhichTheyExpire) {
  EXPECT_EQ(read(R"({"exp":1800000001})")->expires_at, Time(seconds(1'800'000'001)));
  EXPECT_EQ(read(R"({"exp":1800000001.9})")->expires_at, Time(seconds(1'800'000'001)));
  EXPECT_EQ(read(R"({"exp":1.8e9})", "", kNow - seconds(1))->expires_at, kNow);
  EXPECT_EQ(why_not(R"({})"), "the token has no exp");
  for (const char* exp : {"\"1800000001\"", "\"tomorrow\"", "null", "true", "[]", "{}", "-1", "-1e308",
                          "1e308", "1e19", "9223372036854775808", "18446744073709551616", "253402300800"}) {
    EXPECT_EQ(why_not(std::string("{\"exp\":") + exp + "}"), "the exp of the token is no time") << exp;
  }
}

TEST(Claims, ExpireWithoutLeeway) {
  EXPECT_EQ(why_not(R"({"exp":1800000000})"), "the token has expired");
  EXPECT_EQ(why_not(R"({"exp":0})"), "the token has expired");
  EXPECT_EQ(why_not(R"({"exp":1800000000})", "", kNow - milliseconds(1)), "");
}

TEST(Claims, MayExpireFarAhead) {
  EXPECT_GT(read(R"({"exp":253402300799})")->expires_at, Time(seconds(9'000'000'000)));
  EXPECT_GT(read(R"({"exp":9999999999})")->expires_at, Time(seconds(9'000'000'000)));
}

TEST(Claims, MayBeginLaterWithSomeLeeway) {
  EXPECT_EQ(why_not(R"({"exp":1900000000,"nbf":1700000000})"), "");
  EXPECT_EQ(why_not(R"({"exp":1900000000,"nbf":1800000030})"), "");
  EXPECT_EQ(why_not(R"({"exp":1900000000,"nbf":1800000031})"), "the token is not valid yet");
  EXPECT_EQ(why_not(R"({"exp":1900000000,"nbf":253402300799})"), "the token is not valid yet");
  for (const char* nbf : {"\"1\"", "null", "1e308", "-1", "[]"}) {
    EXPECT_EQ(why_not(std::string("{\"exp\":1900000000,\"nbf\":") + nbf + "}"),
              "the nbf of the token is no time");
  }
}

TEST(Claims, AreForAnAudienceIfOneIsAskedFor) {
  EXPECT_EQ(why_not(R"({"exp":1900000000,"aud":"other"})"), "");
  EXPECT_EQ(why_not(R"({"exp":1900000000,"aud":"weir"})", "weir"), "");
  EXPECT_EQ(why_not(R"({"exp":1900000000,"aud":["other","weir"]})", "weir"), "");
  for (const char* aud : {"\"Weir\"", "\"\"", "[]", "[[\"weir\"]]", "{\"weir\":1}", "null", "7",
                          "[\"weir2\"]", "\"weir\\u0000\""}) {
    EXPECT_EQ(why_not(std::string("{\"exp\":1900000000,\"aud\":") + aud + "}", "weir"),
              "the token is for another audience")
        << aud;
  }
  EXPECT_EQ(why_not(R"({"exp":1900000000})", "weir"), "the token is for another audience");
}

TEST(Claims, AllowWhatTheirPatternsCover) {
  const auto claims =
      read(R"({"exp":1900000000,"weir":{"subscribe":["user:42","team.*"],"publish":["user:42"],"more":1}})");
  ASSERT_TRUE(claims);
  EXPECT_TRUE(claims->may_subscribe("user:42"));
  EXPECT_TRUE(claims->may_subscribe("team.a"));
  EXPECT_TRUE(claims->may_subscribe("team."));
  for (const char* channel :
       {"user:421", "xuser:42", "user:4", "teamXa", "myteam.a", "team", "USER:42", ""}) {
    EXPECT_FALSE(claims->may_subscribe(channel)) << channel;
  }
  EXPECT_TRUE(claims->may_publish("user:42"));
  EXPECT_FALSE(claims->may_publish("team.a"));
}

TEST(Claims, WithoutPatternsAllowNothing) {
  for (const char* payload : {R"({"exp":1900000000})", R"({"exp":1900000000,"weir":{}})",
                              R"({"exp":1900000000,"weir":{"subscribe":[],"publish":[""]}})"}) {
    const auto claims = read(payload);
    ASSERT_TRUE(claims) << payload;
    EXPECT_FALSE(claims->may_subscribe("a"));
    EXPECT_FALSE(claims->may_publish("a"));
  }
}

TEST(Claims, OfAnotherShapeAreRefused) {
  for (const char* weir : {"\"*\"", "[]", "null", "{\"subscribe\":\"*\"}", "{\"subscribe\":[1]}",
                           "{\"subscribe\":[[\"*\"]]}", "{\"publish\":{\"*\":true}}", "{\"publish\":null}"}) {
    EXPECT_NE(why_not(std::string("{\"exp\":1900000000,\"weir\":") + weir + "}"), "") << weir;
  }
  EXPECT_NE(why_not("[]"), "");
  EXPECT_NE(why_not("\"exp\""), "");
}

}  // namespace
}  // namespace weir
