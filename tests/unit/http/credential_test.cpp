#include "broker/http/credential.h"

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

TEST(RedactedQuery, HidesTheTokenHoweverItIsSpelt) {
  EXPECT_EQ(redacted_query("channel=a&access_token=secret&replay=1"),
            "channel=a&access_token=(redacted)&replay=1");
  EXPECT_EQ(redacted_query("access%5Ftoken=secret"), "access%5Ftoken=(redacted)");
  EXPECT_EQ(redacted_query("%61ccess_token=secret=more&x"), "%61ccess_token=(redacted)&x");
  EXPECT_EQ(redacted_query("access_token=a&access_token=b"),
            "access_token=(redacted)&access_token=(redacted)");
  EXPECT_EQ(redacted_query("acc%ess_token=secret"), "acc%ess_token=(redacted)");
  EXPECT_EQ(redacted_query("channel=access_token"), "channel=access_token");
  EXPECT_EQ(redacted_query(""), "");
}

}  // namespace
}  // namespace weir
