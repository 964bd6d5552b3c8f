// Publishing over HTTP as people do it.
#include "tests/support/http_fixture.h"

namespace weir {
namespace {

using Publishing = HttpTest;

TEST_F(Publishing, RefusesAMessageWhoseFrameWouldBeTooLarge) {
  gateway.message_bytes_max = 10;
  for (const char* target : {"/channels/a", "/channels/a/end"}) {
    const Response response = ask("POST", target, "", "0123456789x");
    EXPECT_EQ(response.status, 413) << target;
    EXPECT_NE(response.body.find("--max-message-bytes"), std::string::npos);
    EXPECT_NE(response.header("connection"), "close") << "All of the request was read.";
  }
  EXPECT_EQ(gateway.published(), 0U);
  EXPECT_NE(metrics.render().find("weir_http_refused_total{reason=\"too-large\"} 2"), std::string::npos);
}

TEST_F(Publishing, Answers202WithTheReceiversOfTheBusAndTheStreamsHere) {
  gateway.result.receivers = 2;
  gateway.channel_info.subscribers = 7;
  const Response response = ask("POST", "/channels/user%3A42", "", "{\"msg\":1}");
  EXPECT_EQ(response.status, 202);
  EXPECT_EQ(response.header("content-type"), "application/json");
  EXPECT_EQ(response.body, "{\"channel\":\"user:42\",\"receivers\":2,\"subscribers\":7}\n");
  EXPECT_EQ(gateway.wait_for_published(1)[0].channel, "user:42");
  EXPECT_EQ(gateway.wait_for_published(1)[0].payload, "{\"msg\":1}");
}

TEST_F(Publishing, Answers202WithTheIdOfADurableMessage) {
  gateway.result = {PublishOutcome::kDelivered, 0, "", StreamId{1795961157565246123, 7}};
  gateway.channel_info.subscribers = 2;
  EXPECT_EQ(ask("POST", "/channels/a", "", "x").body,
            "{\"channel\":\"a\",\"id\":\"1795961157565246123-7\",\"subscribers\":2}\n");
  EXPECT_EQ(gateway.wait_for_published(1)[0].idempotency_key, "");
}

TEST_F(Publishing, TellsThatAMessageIsARepeat) {
  gateway.result = {PublishOutcome::kDelivered, 0, "", StreamId{1795961157565246123, 7}, true};
  const std::string key = "!\"~" + std::string(253, 'k');
  for (const char* target : {"/channels/a", "/channels/a/end"}) {
    const Response response = ask("POST", target, "Idempotency-Key: " + key + "\r\n", "x");
    EXPECT_EQ(response.status, 202) << target;
    EXPECT_EQ(response.body,
              "{\"channel\":\"a\",\"id\":\"1795961157565246123-7\",\"repeated\":true,\"subscribers\":0}\n");
  }
  for (const auto& published : gateway.wait_for_published(2)) EXPECT_EQ(published.idempotency_key, key);
}

TEST_F(Publishing, RefusesAnIdempotencyKeyThatIsNone) {
  for (const std::string& headers :
       {std::string("Idempotency-Key:\r\n"), std::string("Idempotency-Key: a b\r\n"),
        std::string("Idempotency-Key: \xc3\xa9\r\n"), "Idempotency-Key: " + std::string(257, 'k') + "\r\n",
        std::string("Idempotency-Key: a\r\nIdempotency-Key: a\r\n")}) {
    for (const char* target : {"/channels/a", "/channels/a/end"}) {
      const Response response = ask("POST", target, headers, "x");
      EXPECT_EQ(response.status, 400) << headers;
      EXPECT_EQ(
          response.body,
          "{\"error\":\"Bad Request\",\"detail\":\"Idempotency-Key is not 1 to 256 characters of visible "
          "ASCII\"}\n");
    }
  }
  EXPECT_EQ(gateway.published(), 0U);
}

TEST_F(Publishing, TakesBodiesByteForByteWhateverTheirType) {
  const std::string multipart =
      "--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"f\"\r\n\r\nx\r\n--b--\r\n";
  const std::vector<std::pair<std::string, std::string>> bodies = {
      {"application/x-www-form-urlencoded", "a=1&b=%20+c"},
      {"multipart/form-data; boundary=b", multipart},
      {"multipart/form-data", "no boundary"},
      {"application/json", "{}"},
      {"application/octet-stream", std::string("\0\r\n\xff", 4)},
  };
  HttpClient client = connect();
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    client.send(
        request("POST", "/channels/a", "Content-Type: " + bodies[i].first + "\r\n", bodies[i].second));
    EXPECT_EQ(client.response().status, 202) << bodies[i].first;
    EXPECT_EQ(gateway.wait_for_published(i + 1)[i].payload, bodies[i].second) << bodies[i].first;
  }
}

TEST_F(Publishing, TakesAnEmptyBodyWithOrWithoutALength) {
  EXPECT_EQ(ask("POST", "/channels/a").status, 202);
  HttpClient client = connect();
  client.send("POST /channels/a HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(client.response().status, 202);
  EXPECT_EQ(gateway.wait_for_published(2)[1].payload, "");
}

TEST_F(Publishing, TakesChunkedBodies) {
  HttpClient client = connect();
  const std::string text =
      "POST /channels/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: x\r\n\r\n";
  client.send(text + text);
  EXPECT_EQ(client.response().status, 202);
  EXPECT_EQ(client.response().status, 202);
  EXPECT_EQ(gateway.wait_for_published(2)[1].payload, "hello world");
}

TEST_F(Publishing, TakesARequestThatArrivesByteByByte) {
  HttpClient client = connect();
  for (const char byte : request("POST", "/channels/a", "", "slow")) client.send(std::string_view(&byte, 1));
  EXPECT_EQ(client.response().status, 202);
  EXPECT_EQ(gateway.wait_for_published(1)[0].payload, "slow");
}

TEST_F(Publishing, TakesABodyOfTheGreatestSize) {
  config.max_message_bytes = 1 << 20;
  const std::string body(config.max_message_bytes, 'x');
  EXPECT_EQ(ask("POST", "/channels/a", "", body).status, 202);
  EXPECT_EQ(gateway.wait_for_published(1)[0].payload, body);
  EXPECT_EQ(ask("POST", "/channels/a", "", body + "x").status, 413);
}

TEST_F(Publishing, KeepsTheConnectionOfAPublisher) {
  HttpClient client = connect();
  for (std::size_t i = 0; i < 200; ++i) {
    client.send(request("POST", "/channels/a", "", std::to_string(i)));
    ASSERT_EQ(client.response().status, 202);
  }
  EXPECT_EQ(gateway.published(), 200U);
}

TEST_F(Publishing, AnswersPipelinedRequestsInOrder) {
  HttpClient client = connect();
  std::string requests;
  for (int i = 0; i < 100; ++i) {
    requests += request("POST", "/channels/c" + std::to_string(i), "", std::string(1'000, 'x'));
    requests += request("GET", "/channels/c" + std::to_string(i) + "/info");
  }
  client.send(requests);
  for (int i = 0; i < 100; ++i) {
    const std::string name = "{\"channel\":\"c" + std::to_string(i) + "\"";
    EXPECT_TRUE(client.response().body.starts_with(name));
    EXPECT_TRUE(client.response().body.starts_with(name));
  }
}

TEST_F(Publishing, IsToldToSendTheBodyWhenItAsks) {
  HttpClient client = connect();
  client.send(
      "POST /channels/a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  EXPECT_EQ(client.response().status, 100);
  client.send("body");
  EXPECT_EQ(client.response().status, 202);
  EXPECT_EQ(gateway.wait_for_published(1)[0].payload, "body");
}

TEST_F(Publishing, IsNotToldToSendABodyThatIsRefused) {
  config.max_message_bytes = 10;
  HttpClient client = connect();
  client.send(
      "POST /channels/a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n");
  EXPECT_EQ(client.response().status, 413);
  EXPECT_TRUE(client.is_closed_by_peer());
  EXPECT_EQ(ask("POST", "/channels/a", "Expect: something\r\n", "x").status, 417);
}

TEST_F(Publishing, PublishesTheEndOfAChannel) {
  EXPECT_EQ(ask("POST", "/channels/a/end").status, 202);
  EXPECT_EQ(ask("POST", "/channels/a/end", "", "[1]").status, 202);
  EXPECT_EQ(gateway.wait_for_published(2)[0].payload, R"({"type":"weir:end"})");
  EXPECT_EQ(gateway.wait_for_published(2)[1].payload, R"({"type":"weir:end","data":[1]})");
}

struct Outcome {
  PublishResult result;
  int status;
};

TEST_F(Publishing, TellsWhatCameOfIt) {
  const std::vector<Outcome> outcomes = {
      {{PublishOutcome::kUnavailable, 0, "not connected"}, 503},
      {{PublishOutcome::kUnavailable, 0, "BUSY Redis is busy running a script"}, 503},
      {{PublishOutcome::kUnknown, 0, ""}, 504},
      {{PublishOutcome::kForbidden, 0, "NOPERM this user has no permissions"}, 403},
      {{PublishOutcome::kTooLarge, 0, "ERR Protocol error: invalid bulk length"}, 413},
      {{PublishOutcome::kRefused, 0, "ERR something like NOPERM"}, 502},
  };
  gateway.holds_publishes = true;
  HttpClient client = connect();
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    client.send(request("POST", "/channels/a", "", "x"));
    gateway.wait_for_published(i + 1);
    gateway.answer_publishes(outcomes[i].result);
    const Response response = client.response();
    EXPECT_EQ(response.status, outcomes[i].status);
    EXPECT_NE(response.body.find(outcomes[i].result.detail), std::string::npos) << response.body;
    const char* const said = response.status == 504 ? "unknown" : "nothing was published";
    EXPECT_NE(response.body.find(said), std::string::npos) << response.body;
    EXPECT_EQ(response.has("retry-after"), response.status == 503);
  }
  const std::string page = metrics.render();
  for (const char* line : {"{outcome=\"unavailable\"} 2\n", "{outcome=\"unknown\"} 1\n",
                           "{outcome=\"refused\"} 3\n", "{outcome=\"delivered\"} 0\n"}) {
    EXPECT_NE(page.find(std::string("weir_publishes_total") + line), std::string::npos) << line;
  }
  // And no outcome beside those that are there from the start.
  std::size_t series = 0;
  for (auto at = page.find("\nweir_publishes_total{"); at != std::string::npos;
       at = page.find("\nweir_publishes_total{", at + 1))
    ++series;
  EXPECT_EQ(series, 4U);
}

// Two threads in the pool, ten publishes that wait for the bus: another request is answered all the same.
TEST_F(Publishing, WaitsForTheBusWithoutAThread) {
  gateway.holds_publishes = true;
  std::vector<HttpClient> publishers;
  for (int i = 0; i < 10; ++i)
    publishers.push_back(connect()), publishers.back().send(request("POST", "/channels/a", "", "x"));
  ASSERT_EQ(gateway.wait_for_published(10).size(), 10U);
  EXPECT_EQ(ask("GET", "/channels/a/info").status, 200);
  gateway.answer_publishes({PublishOutcome::kDelivered, 1, ""});
  for (HttpClient& publisher : publishers) EXPECT_EQ(publisher.response().status, 202);
}

TEST_F(Publishing, SurvivesAClientThatDoesNotWaitForTheAnswer) {
  gateway.holds_publishes = true;
  HttpClient client = connect();
  client.send(request("POST", "/channels/a", "", "x"));
  gateway.wait_for_published(1);
  client.reset();
  gateway.answer_publishes({PublishOutcome::kDelivered, 1, ""});
  EXPECT_EQ(ask("GET", "/channels/a/info").status, 200);
}

TEST_F(Publishing, MayBeAnsweredAfterTheServerHasStopped) {
  gateway.holds_publishes = true;
  HttpClient client = connect();
  client.send(request("POST", "/channels/a", "", "x"));
  gateway.wait_for_published(1);
  server->stop(std::chrono::milliseconds(0));
  server.reset();
  gateway.answer_publishes({PublishOutcome::kDelivered, 1, ""});
  EXPECT_EQ(client.response().status, 0);
}

TEST_F(Publishing, IsAnsweredBeforeTheServerStops) {
  gateway.holds_publishes = true;
  HttpClient client = connect();
  client.send(request("POST", "/channels/a", "", "x"));
  gateway.wait_for_published(1);
  std::thread stopping([this] { server->stop(kDeadline); });
  gateway.answer_publishes({PublishOutcome::kDelivered, 1, ""});
  EXPECT_EQ(client.response().status, 202);
  EXPECT_TRUE(client.is_closed_by_peer());
  stopping.join();
}

TEST_F(Publishing, IsAnsweredBeforeTheServerStopsAlsoWhereTheBusGivesUpFirst) {
  gateway.holds_publishes = true;
  HttpClient client = connect();
  client.send(request("POST", "/channels/a", "", "x"));
  gateway.wait_for_published(1);
  server->wind_down(std::chrono::milliseconds(0));
  gateway.answer_publishes({PublishOutcome::kUnknown, 0, "the bus has ended"});
  server->stop(kDeadline);
  EXPECT_EQ(client.response().status, 504);
  EXPECT_TRUE(client.is_closed_by_peer());
}

TEST_F(Publishing, IsSentToAnotherGatewayWhileThisOneDrains) {
  gateway.draining = true;
  HttpClient client = connect();
  client.send(request("POST", "/channels/a", "", "x"));
  const Response response = client.response();
  EXPECT_EQ(response.status, 202);
  EXPECT_EQ(response.header("connection"), "close");
}

}  // namespace
}  // namespace weir
