#include "broker/api/access.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace weir {
namespace {

Head head_of(const std::string& method, std::vector<Header> headers) {
  Head head;
  head.method = method;
  head.path = "/channels/a";
  head.headers = std::move(headers);
  return head;
}

bool is_refused(const Access& access, const std::string& method, std::vector<Header> headers) {
  return access.refuse_foreign(head_of(method, std::move(headers))).has_value();
}

std::map<std::string, std::string> cors(const Access& access, const std::string& origin) {
  std::map<std::string, std::string> headers;
  for (const Header& header : access.cors_headers(head_of("GET", {{"origin", origin}}))) {
    EXPECT_TRUE(headers.emplace(header.name, header.value).second) << header.name;
  }
  return headers;
}

TEST(Access, IsOpenWithoutRules) {
  const Access access({});
  EXPECT_TRUE(access.may_subscribe("a"));
  EXPECT_TRUE(access.may_publish("a"));
}

TEST(Access, WithRulesIsClosedToAllElse) {
  const Access access({.anonymous_subscribe = {"news.*", "b"}, .anonymous_publish = {}, .cors_origins = {}});
  EXPECT_TRUE(access.may_subscribe("news.de"));
  EXPECT_TRUE(access.may_subscribe("b"));
  EXPECT_FALSE(access.may_subscribe("other"));
  EXPECT_FALSE(access.may_publish("news.de"));
}

TEST(Access, OnLoopbackRefusesAForeignHost) {
  const Access access({.is_loopback = true});
  EXPECT_TRUE(is_refused(access, "GET", {{"host", "evil.example"}}));
  EXPECT_TRUE(is_refused(access, "GET", {{"host", "127.0.0.1.evil.example"}}));
  EXPECT_FALSE(is_refused(access, "GET", {{"host", "localhost:8080"}}));
  EXPECT_FALSE(is_refused(access, "GET", {}));
  EXPECT_FALSE(is_refused(Access({.is_loopback = false}), "GET", {{"host", "weir.example"}}));
}

TEST(Access, KnowsLoopbackHosts) {
  for (const char* host : {"localhost", "LOCALHOST:1", "app.localhost:8080", "127.0.0.1", "127.1.2.3:80",
                           "[::1]", "[::1]:8080", "localhost."}) {
    EXPECT_TRUE(is_loopback_host(host)) << host;
  }
  for (const char* host :
       {"", "localhost.evil.example", "notlocalhost", "127.evil.example", "127.0.0.1.evil.example",
        "128.0.0.1", "[::2]", "localhost:80x", "0.0.0.0", "::1"}) {
    EXPECT_FALSE(is_loopback_host(host)) << host;
  }
}

TEST(Access, RefusesAPostOfAForeignOrigin) {
  const Access access({.cors_origins = {"https://app.example"}, .is_loopback = true});
  EXPECT_TRUE(is_refused(access, "POST", {{"host", "localhost:1"}, {"origin", "http://evil.example"}}));
  EXPECT_TRUE(is_refused(access, "POST", {{"host", "localhost:1"}, {"origin", "null"}}));
  EXPECT_TRUE(is_refused(access, "POST", {{"host", "localhost:1"}, {"origin", "http://localhost:2"}}));
  EXPECT_FALSE(is_refused(access, "POST", {{"host", "localhost:1"}, {"origin", "http://localhost:1"}}));
  EXPECT_FALSE(is_refused(access, "POST", {{"host", "localhost:1"}, {"origin", "https://app.example"}}));
  EXPECT_FALSE(is_refused(access, "POST", {{"host", "localhost:1"}}));
  EXPECT_FALSE(is_refused(access, "GET", {{"host", "localhost:1"}, {"origin", "http://evil.example"}}));
}

TEST(Cors, NamesAnExactOriginWithCredentials) {
  const Access access({.cors_origins = {"https://app.example"}});
  const auto headers = cors(access, "https://app.example");
  EXPECT_EQ(headers.at("Access-Control-Allow-Origin"), "https://app.example");
  EXPECT_EQ(headers.at("Access-Control-Allow-Credentials"), "true");
  EXPECT_EQ(headers.at("Access-Control-Expose-Headers"), "Retry-After");
  EXPECT_EQ(headers.at("Vary"), "Origin");
}

TEST(Cors, TellsCachesApartAlsoForAnOriginThatIsNotAllowed) {
  const auto headers = cors(Access({.cors_origins = {"https://app.example"}}), "https://other.example");
  EXPECT_EQ(headers, (std::map<std::string, std::string>{{"Vary", "Origin"}}));
}

TEST(Cors, OfAnyOriginComesWithoutCredentials) {
  const auto headers = cors(Access({.cors_origins = {"*"}}), "https://other.example");
  EXPECT_EQ(headers, (std::map<std::string, std::string>{{"Access-Control-Allow-Origin", "*"},
                                                         {"Access-Control-Expose-Headers", "Retry-After"}}));
  EXPECT_TRUE(cors(Access(AccessRules{}), "https://other.example").empty());
}

TEST(Cors, AnswersAPreflight) {
  const Access access({.cors_origins = {"https://app.example"}});
  const auto reply = access.preflight(
      head_of("OPTIONS", {{"origin", "https://app.example"}, {"access-control-request-method", "POST"}}));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 204);
  const auto refused = access.preflight(
      head_of("OPTIONS", {{"origin", "https://other.example"}, {"access-control-request-method", "POST"}}));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 403);
  EXPECT_FALSE(access.preflight(head_of("OPTIONS", {{"origin", "https://app.example"}})));
}

}  // namespace
}  // namespace weir
