#include "broker/api/away_routes.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "proto/text.h"

namespace weir {
namespace {

class Away : public ::testing::Test {
 protected:
  Reply ask(const std::string& method, const std::string& path, std::vector<Header> headers = {}) {
    Request request;
    request.is_whole = true;
    request.head.method = method;
    request.head.path = path;
    request.head.headers = std::move(headers);
    request.head.headers.push_back({"host", "app.example"});
    return routes_.handle(request);
  }
  static std::string header(const Reply& reply, const std::string& name) {
    for (const Header& each : reply.headers) {
      if (each.name == name) return each.value;
    }
    return "";
  }

  AwayRoutes routes_{{.cors_origins = {"https://page.example"}, .is_loopback = false}, 7};
};

TEST_F(Away, SendsAnEventSourceAwayForAWhileAtAnyPath) {
  std::set<std::string> bodies;
  for (const char* path : {"/channels/a", "/events", "/base/channels/a", "/"}) {
    const Reply reply = ask("GET", path, {{"accept", "text/event-stream"}});
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.content_type, "text/event-stream");
    EXPECT_EQ(header(reply, "Cache-Control"), "no-cache, no-transform");
    EXPECT_TRUE(reply.closes);
    const std::string start = ": away: no gateway is ready\nretry: ";
    ASSERT_TRUE(reply.body.starts_with(start)) << reply.body;
    const int retry = std::stoi(reply.body.substr(start.size()));
    EXPECT_GE(retry, 2'000);
    EXPECT_LE(retry, 5'000);
    EXPECT_TRUE(reply.body.ends_with("\n\n"));
    bodies.insert(reply.body);
  }
  EXPECT_GT(bodies.size(), 1U) << "Not everybody comes back at once.";
}

TEST_F(Away, LetsAPageOfAnotherOriginReadIt) {
  const std::vector<Header> from{{"accept", "text/event-stream"}, {"origin", "https://page.example"}};
  EXPECT_EQ(header(ask("GET", "/channels/a", from), "Access-Control-Allow-Origin"), "https://page.example");
  const Reply preflight = ask("OPTIONS", "/channels/a",
                              {{"origin", "https://page.example"},
                               {"access-control-request-method", "GET"},
                               {"access-control-request-headers", "last-event-id"}});
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(header(preflight, "Access-Control-Allow-Origin"), "https://page.example");
  EXPECT_NE(header(preflight, "Access-Control-Allow-Headers"), "");
}

TEST(AwayOnLoopback, AnswersWhomItsProxyBringsWhateverTheirHostAndOrigin) {
  AwayRoutes routes{{.cors_origins = {}, .is_loopback = true}, 7};
  for (const auto& [method, status] : {std::pair{"GET", 200}, std::pair{"POST", 503}}) {
    Request request;
    request.is_whole = true;
    request.head.method = method;
    request.head.path = "/channels/a";
    request.head.headers = {
        {"host", "events.example.com"}, {"origin", "https://page.example"}, {"accept", "text/event-stream"}};
    EXPECT_EQ(routes.handle(request).status, status) << method;
  }
}

TEST_F(Away, TellsEverybodyElseToTryAgain) {
  const std::vector<std::pair<const char*, const char*>> others{
      {"POST", "text/event-stream"}, {"GET", "*/*"}, {"GET", "text/html"}, {"HEAD", "text/event-stream"}};
  for (const auto& [method, accept] : others) {
    const Reply reply = ask(method, "/channels/a", {{"accept", accept}});
    EXPECT_EQ(reply.status, 503) << method << " " << accept;
    EXPECT_GE(std::stoi(header(reply, "Retry-After")), 2);
    EXPECT_LE(std::stoi(header(reply, "Retry-After")), 5);
  }
}

}  // namespace
}  // namespace weir
