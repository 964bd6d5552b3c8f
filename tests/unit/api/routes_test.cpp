// The URLs of both sides, over real sockets.
#include "broker/api/routes.h"

#include "broker/base/logging.h"
#include "tests/support/http_fixture.h"

namespace weir {
namespace {

using Routing = HttpTest;
using Admin = HttpTest;

TEST_F(Routing, AnswersErrorsAsJson) {
  const Response response = ask("GET", "/nowhere");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.header("content-type"), "application/json");
  EXPECT_EQ(response.body, "{\"error\":\"Not Found\",\"detail\":\"there is nothing at this path\"}\n");
}

TEST_F(Routing, KnowsNoOtherPaths) {
  for (const char* path : {"/channels", "/channels/a/", "/channels/a/b", "/channels/a/info/", "/events/",
                           "/metrics", "/channels/a/end/x"}) {
    EXPECT_EQ(ask("GET", path).status, 404) << path;
  }
}

TEST_F(Routing, HasAllItsPathsBehindABasePath) {
  config.base_path = "/push/v1";
  EXPECT_EQ(ask("GET", "/push/v1/channels/a/info").status, 200);
  EXPECT_EQ(ask("HEAD", "/push/v1/events?channel=a").status, 200);
  EXPECT_EQ(ask("POST", "/push/v1/channels/a", "", "x").status, 202);
  EXPECT_EQ(ask("GET", "/push/v1/").header("content-type"), "text/html; charset=utf-8");
  EXPECT_EQ(ask("GET", "/push/v1?channel=a").header("location"), "/push/v1/?channel=a");
  const Response moved = ask("GET", "/push/v1");
  EXPECT_EQ(moved.status, 308);
  EXPECT_EQ(moved.header("location"), "/push/v1/");
  for (const char* path : {"/", "/push", "/push/", "/push/v1x/channels/a", "/push/v12", "/channels/a/info",
                           "/events?channel=a", "/push/v1channels/a", "/push/v1/push/v1/channels/a"}) {
    EXPECT_EQ(ask("GET", path).status, 404) << path;
  }
  EXPECT_EQ(ask("OPTIONS", "*").status, 204);
}

TEST_F(Routing, NamesTheMethodsThatAPathKnows) {
  const Response response = ask("PUT", "/channels/a", "Content-Length: 1\r\n", "x");
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(response.header("allow"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(ask("GET", "/channels/a/end").header("allow"), "POST, OPTIONS");
  EXPECT_EQ(ask("POST", "/events?channel=a").status, 405);
  EXPECT_EQ(ask("DELETE", "/").status, 405);
  EXPECT_EQ(ask("POST", "/channels/a/info").status, 405);
  EXPECT_EQ(ask("OPTIONS", "/channels/a").status, 204);
  EXPECT_EQ(ask("OPTIONS", "*").status, 204);
}

TEST_F(Routing, RefusesBadChannelNamesWithTheRule) {
  for (const char* path :
       {"/channels/", "/channels/__a", "/channels/weir:a", "/channels/a%20b", "/channels/a%2Fb",
        "/channels/%ff", "/channels/a%4", "/events?channel=", "/events?channel=ok&channel=a%20b"}) {
    const Response response = ask("GET", path);
    EXPECT_EQ(response.status, 400) << path;
    EXPECT_NE(response.body.find("no channel name: "), std::string::npos) << response.body;
  }
  EXPECT_EQ(ask("GET", "/channels/" + std::string(129, 'a')).status, 400);
  EXPECT_EQ(ask("POST", "/channels/__a", "", "x").status, 400);
}

TEST_F(Routing, RefusesStreamsThatAskForNonsense) {
  config.max_channels_per_client = 3;
  for (const char* target :
       {"/events", "/events?channels=a", "/channels/a?replay=x", "/channels/a?replay=-1",
        "/channels/a?replay=", "/channels/a?replay=All", "/channels/a?since=", "/channels/a?since=-1",
        "/events?channel=a&since=2026-11-30", "/channels/a?since=18446744073709551616",
        "/channels/a?lastEventId=g1.2&since=x", "/channels/a?lastEventId=g1.2&replay=x",
        "/channels/a?replay.a=", "/channels/a?replay.a=-1", "/channels/a?lastEventId=g1.2&replay.a=x",
        "/channels/a?form=xml", "/channels/a?x=%4", "/events?channel=a&channel=b&channel=c&channel=d"}) {
    EXPECT_EQ(ask("GET", target).status, 400) << target;
  }
  const Response response = ask("GET", "/channels/a", "Accept: application/json\r\n");
  EXPECT_EQ(response.status, 406);
  EXPECT_EQ(gateway.places, 0);
}

TEST_F(Routing, NamesTheOneChannelThatIsRefused) {
  config.anonymous_subscribe = {"a", "b"};
  struct Case {
    const char* target;
    int status;
    const char* channel;
  };
  for (const auto& [target, status, channel] : {
           Case{"/events?channel=a&channel=secret", 403, "secret"},
           Case{"/channels/secret", 403, "secret"},
           Case{"/channels/secret/info", 403, "secret"},
           Case{"/events?channel=a&channel=__b", 400, "__b"},
           Case{"/channels/__b", 400, "__b"},
           Case{"/events?channel=a&new=b", 400, "b"},
           Case{"/events?channel=a&new=", 400, ""},
           Case{"/events?channel=a&channel=b&replay.c%22=1", 400, "c\\\""},
           Case{"/events?channel=a&replay.=1", 400, ""},
           Case{"/events?channel=a&channel=b&replay.b=x", 400, "b"},
           Case{"/channels/a?new=b", 400, "b"},
           Case{"/channels/a?replay.b=1", 400, "b"},
       }) {
    const Response response = ask("GET", target);
    EXPECT_EQ(response.status, status) << target;
    const std::string end = std::string(",\"channel\":\"") + channel + "\"}\n";
    EXPECT_TRUE(response.body.ends_with(end)) << target << ": " << response.body;
  }
  const Response published = ask("POST", "/channels/a", "", "x");
  EXPECT_EQ(published.status, 403);
  EXPECT_TRUE(published.body.ends_with(",\"channel\":\"a\"}\n")) << published.body;
  EXPECT_EQ(ask("GET", "/events?channel=a&replay=x").body.find("\"channel\""), std::string::npos);
}

TEST_F(Routing, TellsAClientOfAnEndedChannelToStop) {
  EXPECT_EQ(ask("GET", "/channels/a", "Last-Event-ID: gabcd1234.7~end\r\n").status, 204);
  EXPECT_EQ(ask("GET", "/channels/a?lastEventId=gabcd1234.7%7Eend").status, 204);
  EXPECT_EQ(ask("GET", "/channels/a?lastEventId=gabcd1234.6&last_event_id=gabcd1234.7%7Eend").status, 204);
}

TEST_F(Routing, HoldsToTheAnonymousRules) {
  config.anonymous_subscribe = {"news.*"};
  EXPECT_EQ(ask("GET", "/channels/secret").status, 403);
  EXPECT_EQ(ask("GET", "/events?channel=news.de&channel=secret").status, 403);
  EXPECT_EQ(ask("GET", "/channels/secret/info").status, 403);
  EXPECT_EQ(ask("GET", "/channels/news.de/info").status, 200);
  EXPECT_EQ(ask("POST", "/channels/news.de", "", "x").status, 403);
  EXPECT_EQ(ask("POST", "/channels/news.de/end").status, 403);
  EXPECT_EQ(gateway.published(), 0U);
}

TEST_F(Routing, TellsWhatIsKnownOfAChannel) {
  gateway.channel_info = {"", 3, "gabcd1234.7", 2, 100, true};
  const Response response = ask("GET", "/channels/user%3A42/info");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body,
            "{\"channel\":\"user:42\",\"subscribers\":3,\"lastId\":\"gabcd1234.7\",\"logMessages\":2,"
            "\"logBytes\":100,"
            "\"live\":true,\"bus\":\"memory\"}\n");
}

TEST_F(Routing, AnswersThePreflightOfAnAllowedOrigin) {
  config.cors_origin = {"https://app.example"};
  const Response response =
      ask("OPTIONS", "/channels/a", "Origin: https://app.example\r\nAccess-Control-Request-Method: GET\r\n");
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(response.header("access-control-allow-origin"), "https://app.example");
  EXPECT_EQ(response.header("access-control-allow-credentials"), "true");
  EXPECT_EQ(response.header("access-control-allow-methods"), "GET, POST, OPTIONS");
  EXPECT_EQ(response.header("access-control-allow-headers"),
            "authorization, last-event-id, content-type, cache-control, idempotency-key");
  EXPECT_EQ(response.header("access-control-max-age"), "7200") << "Browsers keep it for so long.";
  EXPECT_EQ(response.header("vary"), "Origin");
}

TEST_F(Routing, LetsAnAllowedOriginReadEveryAnswer) {
  config.cors_origin = {"https://app.example"};
  config.max_message_bytes = 10;
  const std::string origin = "Origin: https://app.example\r\n";
  gateway.result = {PublishOutcome::kUnavailable, 0, ""};
  for (const Response& response :
       {ask("GET", "/nowhere", origin), ask("GET", "/channels/__a", origin),
        ask("GET", "/channels/a/info", origin), ask("POST", "/channels/a", origin, "x"),
        ask("POST", "/channels/a", origin, std::string(11, 'x'))}) {
    EXPECT_EQ(response.header("access-control-allow-origin"), "https://app.example") << response.head;
    EXPECT_EQ(response.header("access-control-expose-headers"), "Retry-After") << response.head;
  }
}

// Without them a refusal looks like a network that is down, and a client comes back for ever.
TEST_F(Routing, LetsAnAllowedOriginReadEveryRefusalOfTheFront) {
  config.cors_origin = {"https://app.example"};
  config.head_bytes = 4'096;
  config.head_seconds = std::chrono::seconds(1);
  const std::string rest = " HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.example\r\n";
  struct Case {
    std::string request;
    int status;
  };
  for (const auto& [text, status] : {
           Case{"GET /channels/%00" + rest + "\r\n", 400},
           Case{"GET /channels/a b" + rest + "\r\n", 400},
           Case{"GET channels" + rest + "\r\n", 400},
           Case{"GET /channels/a" + rest + "Content-Length: x\r\n\r\n", 400},
           Case{"GET /channels/a" + rest + "X: a\n\r\n", 400},
           Case{"GET /channels/a" + rest + "a b: c\r\n\r\n", 400},
           Case{"DELETE /channels/a" + rest + "\r\n", 405},
           Case{"GET /nowhere" + rest + "\r\n", 404},
           Case{"POST /channels/a" + rest + "Content-Length: 99999999999\r\n\r\n", 413},
           Case{"GET /" + std::string(kPathBytesMax, 'x') + rest + "\r\n", 431},
           Case{"POST /channels/a" + rest + "Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", 415},
           Case{"POST /channels/a" + rest + "Expect: tea\r\nContent-Length: 1\r\n\r\nx", 417},
           Case{"GET /channels/a" + rest + "X: " + std::string(4'096, 'x'), 431},
           Case{"PROPFIND /channels/a" + rest + "\r\n", 501},
           Case{"POST /channels/a" + rest + "Transfer-Encoding: gzip\r\n\r\n", 501},
           Case{"GET /channels/a HTTP/2.0\r\nOrigin: https://app.example\r\n\r\n", 505},
           Case{"GET /channels/a" + rest + "X", 408},
       }) {
    HttpClient client = connect();
    client.send(text);
    const Response response = client.response();
    EXPECT_EQ(response.status, status) << text.substr(0, 200) << response.body;
    EXPECT_EQ(response.header("access-control-allow-origin"), "https://app.example") << response.head;
    EXPECT_EQ(response.header("vary"), "Origin") << response.head;
  }
  HttpClient client = connect();
  client.send("GET /channels/%00 HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n\r\n");
  EXPECT_FALSE(client.response().has("access-control-allow-origin"));
}

TEST_F(Routing, LetsAnAllowedOriginReadThatAPathIsTooLong) {
  config.cors_origin = {"https://app.example"};
  const Response response =
      ask("GET", "/" + std::string(kPathBytesMax, 'x'), "Origin: https://app.example\r\n");
  EXPECT_EQ(response.status, 414);
  EXPECT_EQ(response.header("access-control-allow-origin"), "https://app.example");
}

TEST_F(Routing, RefusesForeignHostsAndOrigins) {
  HttpClient client = connect();
  client.send("GET /channels/a/info HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  EXPECT_EQ(client.response().status, 403);
  EXPECT_EQ(ask("POST", "/channels/a", "Origin: http://evil.example\r\n", "x").status, 403);
  EXPECT_EQ(ask("POST", "/channels/a", "Origin: http://localhost\r\n", "x").status, 202);
}

TEST_F(Routing, ServesTheConsoleWithAStrictPolicy) {
  const Response response = ask("GET", "/");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.header("content-type"), "text/html; charset=utf-8");
  EXPECT_EQ(response.body, kConsoleHtml);
  const std::string policy = response.header("content-security-policy");
  EXPECT_NE(policy.find("script-src 'sha256-"), std::string::npos) << policy;
  EXPECT_EQ(policy.find("unsafe"), std::string::npos) << policy;
  EXPECT_TRUE(ask("HEAD", "/").body.empty());
}

TEST_F(Routing, ServesNoConsoleWhereItIsOff) {
  config.console = ConsoleMode::kOff;
  EXPECT_EQ(ask("GET", "/").status, 404);
}

TEST(Console, HashesItsInlineScriptAndStyle) {
  // echo -n 'alert(1)' | openssl dgst -sha256 -binary | base64
  const ConsolePage page = make_console_page("<style></style><script>alert(1)</script>");
  EXPECT_NE(page.policy.find("script-src 'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='"),
            std::string::npos)
      << page.policy;
}

TEST(EndPayload, IsAnEnvelopeOfTheEnd) {
  EXPECT_EQ(end_payload(""), R"({"type":"weir:end"})");
  EXPECT_EQ(end_payload(" \r\n"), R"({"type":"weir:end"})");
  EXPECT_EQ(end_payload(R"({"code": 0})"), R"({"type":"weir:end","data":{"code": 0}})");
  EXPECT_EQ(end_payload("done \"now\""), R"({"type":"weir:end","data":"done \"now\""})");
}

TEST_F(Admin, IsHealthyAsLongAsItAnswers) {
  HttpClient client = connect_admin();
  EXPECT_EQ(client.send(request("GET", "/healthz")).response().status, 200);
  EXPECT_EQ(client.send(request("HEAD", "/healthz")).response(false).status, 200);
  EXPECT_EQ(client.send(request("GET", "/nowhere")).response().status, 404);
  EXPECT_EQ(client.send(request("POST", "/healthz")).response().status, 405);
}

TEST_F(Admin, IsReadyOnceRedisWasReachedAndUntilItDrains) {
  gateway.set_state({.is_connected = false, .was_ever_connected = false});
  HttpClient client = connect_admin();
  EXPECT_EQ(client.send(request("GET", "/readyz")).response().status, 503);
  gateway.set_state({.is_connected = false, .was_ever_connected = true});
  EXPECT_EQ(client.send(request("GET", "/readyz")).response().status, 200)
      << "Redis is away, but was reached.";
  gateway.draining = true;
  EXPECT_EQ(client.send(request("GET", "/readyz")).response().status, 503);
}

TEST_F(Admin, IsReadyWithoutRedisAfterAWhile) {
  config.ready_without_redis = std::chrono::seconds(0);
  gateway.set_state({.is_connected = false, .was_ever_connected = false});
  HttpClient client = connect_admin();
  EXPECT_EQ(client.send(request("GET", "/readyz")).response().status, 200);
  EXPECT_EQ(client.send(request("GET", "/healthz/redis")).response().status, 503);
  gateway.draining = true;
  EXPECT_EQ(client.send(request("GET", "/readyz")).response().status, 503);
}

TEST_F(Admin, TellsOfRedis) {
  HttpClient client = connect_admin();
  gateway.set_state({.kind = BusKind::kRedis, .is_connected = false});
  const Response away = client.send(request("GET", "/healthz/redis")).response();
  EXPECT_EQ(away.status, 503);
  EXPECT_EQ(away.body,
            "{\"error\":\"Service Unavailable\",\"detail\":\"Redis is away\",\"bus\":\"redis\"}\n");
  gateway.set_state({.kind = BusKind::kRedis, .wanted = 2, .acknowledged = 1});
  EXPECT_EQ(client.send(request("GET", "/healthz/redis")).response().status, 503);
  gateway.set_state({.kind = BusKind::kRedis, .wanted = 2, .acknowledged = 2});
  const Response good = client.send(request("GET", "/healthz/redis")).response();
  EXPECT_EQ(good.status, 200);
  EXPECT_EQ(good.body, "{\"status\":\"ok\",\"bus\":\"redis\"}\n");
  gateway.set_state({});
  EXPECT_EQ(client.send(request("GET", "/healthz/redis")).response().body,
            "{\"status\":\"ok\",\"bus\":\"memory\"}\n");
}

TEST_F(Admin, ShowsMetricsAndChannels) {
  gateway.channel_info = {"a", 1, "", 0, 0, false};
  gateway.channels_open = 42;
  gateway.slow_clients = {{"a", *parse_ip_address("192.0.2.1"), 12, 3'456, std::chrono::milliseconds(7'890)},
                          {"b", *parse_ip_address("2001:db8::1"), 0, 0, std::chrono::milliseconds(0)}};
  HttpClient client = connect_admin();
  EXPECT_EQ(
      client.send(request("GET", "/channels")).response().body,
      "{\"channels\":[{\"channel\":\"a\",\"subscribers\":1,\"lastId\":null,\"logMessages\":0,\"logBytes\":0,"
      "\"live\":false}],\"leftOut\":41,\"slowest\":["
      "{\"channel\":\"a\",\"address\":\"192.0.2.1\",\"lagMessages\":12,\"lagBytes\":3456,\"seconds\":7.9},"
      "{\"channel\":\"b\",\"address\":\"2001:db8::1\",\"lagMessages\":0,\"lagBytes\":0,\"seconds\":0.0}]}\n");
  const Response page = client.send(request("GET", "/metrics")).response();
  EXPECT_EQ(page.header("content-type"), "text/plain; version=0.0.4");
  EXPECT_NE(page.body.find("weir_http_requests_total{code=\"200\"} 1"), std::string::npos) << page.body;
}

TEST_F(Admin, ChangesTheLevelOfTheLog) {
  const LogLevel before = log_level();
  HttpClient client = connect_admin();
  client.send("PUT /log-level HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\n\r\n error\n");
  EXPECT_EQ(client.response().body, "{\"level\":\"error\"}\n");
  EXPECT_EQ(log_level(), LogLevel::kError);
  EXPECT_EQ(client.send(request("GET", "/log-level")).response().body, "{\"level\":\"error\"}\n");
  EXPECT_EQ(client.send(request("POST", "/log-level")).response().header("allow"), "GET, HEAD, PUT");
  client.send("PUT /log-level HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nloud");
  const Response refused = client.response();
  EXPECT_EQ(refused.status, 400);
  EXPECT_NE(refused.body.find("loud"), std::string::npos) << refused.body;
  for (const char* foreign :
       {"Host: evil.example\r\n", "Host: localhost\r\nOrigin: http://evil.example\r\n"}) {
    client.send(std::string("PUT /log-level HTTP/1.1\r\n") + foreign + "Content-Length: 5\r\n\r\ndebug");
    EXPECT_EQ(client.response().status, 403) << foreign;
  }
  EXPECT_EQ(log_level(), LogLevel::kError);
  set_log_level(before);
}

TEST_F(Admin, RefusesAForeignHostOnLoopback) {
  HttpClient client = connect_admin();
  client.send("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  EXPECT_EQ(client.response().status, 403);
}

}  // namespace
}  // namespace weir
