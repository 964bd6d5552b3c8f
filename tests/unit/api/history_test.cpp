// GET /channels/{channel}/messages, over real sockets.
#include "broker/api/history.h"

#include "tests/support/http_fixture.h"

namespace weir {
namespace {

using History = HttpTest;
using Outcome = HistoryPage::Outcome;

const std::string kTarget = "/channels/user%3A42/messages";

TEST_F(History, IsAPageOfMessages) {
  gateway.history = {
      .outcome = Outcome::kRead,
      .messages = {{.id = "1795961157565246123-8", .type = "", .data = R"({"msg":1})", .time = 1795961157565},
                   {.id = "1795961157565246123-9~own", .type = "no\"te", .data = "\"x\"", .time = 2}},
      .next = "1795961157565246123-9~own",
      .missed = 3};
  const Response response = ask("GET", kTarget);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.header("content-type"), "application/json");
  EXPECT_EQ(response.header("cache-control"), "no-store");
  EXPECT_EQ(response.body,
            R"({"messages":[{"id":"1795961157565246123-8","data":{"msg":1},"time":1795961157565},)"
            R"({"id":"1795961157565246123-9~own","type":"no\"te","data":"x","time":2}],)"
            R"("next":"1795961157565246123-9~own","missed":3})"
            "\n");
}

TEST_F(History, AnUnknownLossIsNull) {
  gateway.history = {.outcome = Outcome::kRead, .next = "0-0", .missed = std::nullopt};
  EXPECT_EQ(ask("GET", kTarget).body, "{\"messages\":[],\"next\":\"0-0\",\"missed\":null}\n");
}

TEST_F(History, IsAskedForByTheChannelTheIdAndTheLimit) {
  gateway.history = {.outcome = Outcome::kRead};
  for (const char* query :
       {"", "?after=&limit=1", "?after=1-2%7Eown&limit=1000", "?after=1-2&after=1-3&access_token=x"})
    EXPECT_EQ(ask("GET", kTarget + query).status, 200) << query;
  const auto queries = gateway.wait_for_history_queries(4);
  ASSERT_EQ(queries.size(), 4U);
  EXPECT_EQ(queries[0].channel, "user:42");
  EXPECT_EQ(queries[0].after, std::nullopt);
  EXPECT_EQ(queries[0].messages_max, kPageMessages);
  EXPECT_EQ(queries[1].after, std::nullopt) << "an empty one is none";
  EXPECT_EQ(queries[1].messages_max, 1U);
  EXPECT_EQ(queries[2].after, "1-2~own");
  EXPECT_EQ(queries[2].messages_max, kPageMessagesMax);
  EXPECT_EQ(queries[3].after, "1-3") << "of several the last counts";
}

TEST_F(History, RefusesALimitThatIsNone) {
  for (const char* limit : {"", "0", "1001", "-1", "+1", "1.5", "x", "%201", "99999999999999999999999"}) {
    const Response response = ask("GET", kTarget + "?limit=" + limit);
    EXPECT_EQ(response.status, 400) << limit;
    EXPECT_NE(response.body.find("limit is not a number of messages from 1 to 1000"), std::string::npos)
        << limit;
  }
  EXPECT_EQ(ask("GET", kTarget + "?after=%4").status, 400);
  EXPECT_EQ(ask("GET", "/channels/a%20b/messages").status, 400);
  EXPECT_EQ(gateway.wait_for_history_queries(0).size(), 0U);
}

TEST_F(History, SaysWhyThereIsNone) {
  struct Case {
    Outcome outcome;
    int status;
    const char* said;
  };
  for (const auto& [outcome, status, said] :
       {Case{Outcome::kNoHistory, 404, "this channel has no history"},
        Case{Outcome::kBadId, 400, "after is no id of this channel: because"},
        Case{Outcome::kUnavailable, 503, "can't be read now: because"},
        Case{Outcome::kRefused, 502, "the bus refuses to read the history: because"}}) {
    gateway.history = {.outcome = outcome, .why = "because"};
    const Response response = ask("GET", kTarget, "Origin: https://page.example\r\n");
    EXPECT_EQ(response.status, status);
    EXPECT_NE(response.body.find(said), std::string::npos) << response.body;
    EXPECT_EQ(response.header("content-type"), "application/json");
    EXPECT_EQ(response.header("cache-control"), "no-store");
    EXPECT_EQ(response.has("retry-after"), status == 503);
  }
  const std::string page = metrics.render();
  for (const char* reason : {"bus-unavailable", "bus-refused"}) {
    EXPECT_NE(page.find(std::string("weir_http_refused_total{reason=\"") + reason + "\"} 1\n"),
              std::string::npos);
  }
}

TEST_F(History, KnowsTheMethodsOfReading) {
  gateway.history = {.outcome = Outcome::kRead};
  const Response head = ask("HEAD", kTarget);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
  EXPECT_NE(head.header("content-length"), "0");
  EXPECT_EQ(ask("OPTIONS", kTarget).status, 204);
  for (const char* method : {"POST", "PUT", "DELETE"}) {
    const Response response = ask(method, kTarget);
    EXPECT_EQ(response.status, 405) << method;
    EXPECT_EQ(response.header("allow"), "GET, HEAD, OPTIONS") << method;
  }
  EXPECT_EQ(ask("GET", kTarget + "/").status, 404);
}

TEST_F(History, IsGuardedAsSubscribingIs) {
  config.anonymous_subscribe = {"news.*"};
  config.anonymous_publish = {"*"};
  gateway.history = {.outcome = Outcome::kRead};
  EXPECT_EQ(ask("GET", "/channels/secret/messages").status, 403);
  EXPECT_EQ(ask("HEAD", "/channels/secret/messages?after=1-1").status, 403);
  EXPECT_EQ(gateway.wait_for_history_queries(0).size(), 0U);
  EXPECT_EQ(ask("GET", "/channels/news.de/messages").status, 200);
}

TEST_F(History, MayBeReadByAnAllowedOrigin) {
  config.cors_origin = {"https://app.example"};
  gateway.history = {.outcome = Outcome::kRead};
  const Response response = ask("GET", kTarget, "Origin: https://app.example\r\n");
  EXPECT_EQ(response.header("access-control-allow-origin"), "https://app.example");
  EXPECT_EQ(response.header("vary"), "Origin");
}

// Two threads in the pool, ten reads that wait for Redis: another request is answered all the same.
TEST_F(History, WaitsForRedisWithoutAThread) {
  gateway.holds_history = true;
  std::vector<HttpClient> readers;
  for (int i = 0; i < 10; ++i) readers.push_back(connect()), readers.back().send(request("GET", kTarget));
  ASSERT_EQ(gateway.wait_for_history_queries(10).size(), 10U);
  EXPECT_EQ(ask("GET", "/channels/a/info").status, 200);
  gateway.answer_history({.outcome = Outcome::kRead});
  for (HttpClient& reader : readers) EXPECT_EQ(reader.response().status, 200);
}

TEST_F(History, MayBeReadAfterTheServerHasStopped) {
  gateway.holds_history = true;
  HttpClient client = connect();
  client.send(request("GET", kTarget));
  ASSERT_EQ(gateway.wait_for_history_queries(1).size(), 1U);
  server->stop(std::chrono::milliseconds(0));
  server.reset();
  gateway.answer_history({.outcome = Outcome::kRead});
  EXPECT_EQ(client.response().status, 0);
}

}  // namespace
}  // namespace weir
