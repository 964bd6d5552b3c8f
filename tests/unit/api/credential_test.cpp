#include "broker/api/credential.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

using Source = Credential::Source;

// "header:x", "query:x", "cookie:x", "none", or "two".
std::string found(std::vector<Header> headers, const std::string& query = "") {
  Head head;
  head.headers = std::move(headers);
  const auto credential = find_credential(head, *parse_query(query), "weir_token");
  if (!credential) return "two";
  if (!*credential) return "none";
  const auto source = (*credential)->source;
  return (source == Source::kHeader  ? "header:"
          : source == Source::kQuery ? "query:"
                                     : "cookie:") +
         (*credential)->token;
}

TEST(Credential, IsInOneOfThreePlaces) {
  EXPECT_EQ(found({}), "none");
  EXPECT_EQ(found({{"authorization", "Bearer a.b.c"}}), "header:a.b.c");
  EXPECT_EQ(found({}, "channel=x&access_token=a.b.c"), "query:a.b.c");
  EXPECT_EQ(found({{"cookie", "weir_token=a.b.c"}}), "cookie:a.b.c");
}

TEST(Credential, OfTheHeaderWinsThenTheQuery) {
  const Header header{"authorization", "Bearer h"};
  const Header cookie{"cookie", "weir_token=c"};
  EXPECT_EQ(found({cookie, header}, "access_token=q"), "header:h");
  EXPECT_EQ(found({cookie}, "access_token=q"), "query:q");
  EXPECT_EQ(found({cookie, {"authorization", "Bearer"}}), "header:") << "An empty one is a bad one.";
  EXPECT_EQ(found({cookie}, "access_token"), "query:");
}

TEST(Credential, OfAnotherSchemeIsForSomebodyElse) {
  EXPECT_EQ(found({{"authorization", "Basic dTpw"}}), "none");
  EXPECT_EQ(found({{"authorization", "Basic dTpw"}, {"cookie", "weir_token=c"}}), "cookie:c");
  EXPECT_EQ(found({{"authorization", "Bearers x"}}), "none");
  EXPECT_EQ(found({{"authorization", "bEaReR  x "}}), "header:x");
}

TEST(Credential, IsFoundAmongOtherCookies) {
  EXPECT_EQ(found({{"cookie", "a=1; weir_token=x=y;b=2"}}), "cookie:x=y");
  EXPECT_EQ(found({{"cookie", "a=1"}, {"cookie", "weir_token=x"}}), "cookie:x");
  EXPECT_EQ(found({{"cookie", "a=weir_token=x; xweir_token=1; weir_tokenx=2; Weir_token=3"}}), "none");
  EXPECT_EQ(found({{"cookie", ";;=;weir_token"}}), "cookie:");
}

TEST(Credential, ThatComesTwiceMustBeTheSame) {
  EXPECT_EQ(found({{"cookie", "weir_token=x; weir_token=x"}}), "cookie:x");
  EXPECT_EQ(found({{"cookie", "weir_token=x; weir_token=y"}}), "two");
  EXPECT_EQ(found({{"cookie", "weir_token=x"}, {"cookie", "weir_token="}}), "two");
  EXPECT_EQ(found({{"authorization", "Bearer x"}, {"authorization", "Bearer y"}}), "two");
  EXPECT_EQ(found({}, "access_token=x&access_token=y"), "two");
  EXPECT_EQ(found({{"authorization", "Bearer x"}}, "access_token=x&access_token=y"), "header:x");
}

TEST(RedactedQuery, HasNamesAndNoValue) {
  EXPECT_EQ(redacted_query("channel=a&access_token=secret&replay=1"),
            "channel=(redacted)&access_token=(redacted)&replay=(redacted)");
  EXPECT_EQ(redacted_query("acces_token=secret=more&=secret&x="),
            "acces_token=(redacted)&=(redacted)&x=(redacted)");
  EXPECT_EQ(redacted_query("&&x=1&&&"), "x=(redacted)");
  EXPECT_EQ(redacted_query(""), "");
}

TEST(RedactedQuery, HasNoNameThatMightBeAToken) {
  EXPECT_EQ(redacted_query("secret"), "(redacted)");
  EXPECT_EQ(redacted_query("eyJh.eyJi.c2ln=1&secret"), "(redacted)=(redacted)&(redacted)");
  EXPECT_EQ(redacted_query("s3cret=1&%61ccess_token=x&acc%ess_token=x"),
            "(redacted)=(redacted)&(redacted)=(redacted)&(redacted)=(redacted)");
  EXPECT_EQ(redacted_query(std::string(33, 'x') + "=1"), "(redacted)=(redacted)");
}

TEST(RedactedQuery, IsBounded) {
  std::string query;
  for (int i = 0; i < 1'000; ++i) query += "x=1&";
  EXPECT_LT(redacted_query(query).size(), 200U);
  EXPECT_TRUE(redacted_query(query).ends_with("&..."));
}

}  // namespace
}  // namespace weir
