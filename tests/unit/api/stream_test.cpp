// Streams, up to the moment at which the socket is the hub's.
#include <fcntl.h>
#include <netinet/tcp.h>

#include "proto/sse.h"
#include "tests/support/http_fixture.h"

namespace weir {
namespace {

using Streams = HttpTest;

// What a shard does, in short.
void answer(const FakeGateway::Opened& stream, const std::string& body) {
  const std::string text = stream.request.head + body;
  EXPECT_EQ(::send(stream.socket, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
}

// "3 new:all 0", by channel; empty if none begins otherwise than usual.
std::string beginnings_of(const FakeGateway::Opened& stream) {
  std::string text;
  for (const Beginning& beginning : stream.request.beginnings) {
    if (!text.empty()) text += ' ';
    if (beginning.is_new) text += "new:";
    text += beginning.replay == kReplayAll ? "all" : std::to_string(beginning.replay);
  }
  return text;
}

TEST_F(Streams, GoToTheHubWithTheirHead) {
  HttpClient client = connect();
  client.send(request("GET", "/channels/user%3A42", kEventStream));
  const auto* stream = gateway.wait_for_stream();
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(stream->request.channels, std::vector<std::string>{"user:42"});
  EXPECT_EQ(stream->request.encoding.form, Form::kChannel);
  EXPECT_EQ(stream->request.last_event_id, std::nullopt);
  EXPECT_TRUE(stream->request.encoding.is_chunked);
  EXPECT_NE(::fcntl(stream->socket, F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(stream->socket, F_GETFD) & FD_CLOEXEC, 0);
  int is_without_delay = 0;
  socklen_t size = sizeof is_without_delay;
  EXPECT_EQ(::getsockopt(stream->socket, IPPROTO_TCP, TCP_NODELAY, &is_without_delay, &size), 0);
  EXPECT_NE(is_without_delay, 0);
  EXPECT_EQ(gateway.places, 1);
  answer(*stream, encode_chunk("data: x\n\n"));
  const Response response = client.response();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.header("content-type"), "text/event-stream");
  EXPECT_EQ(response.header("cache-control"), "no-cache, no-transform");
  EXPECT_EQ(response.header("x-accel-buffering"), "no");
  EXPECT_EQ(response.header("transfer-encoding"), "chunked");
  EXPECT_FALSE(response.has("keep-alive"));
  gateway.end_streams();
  EXPECT_EQ(client.rest(), encode_chunk("data: x\n\n"));
  EXPECT_EQ(gateway.places, 0);
}

TEST_F(Streams, CarryTheWholeAnswerForAChannelThatTheBusRefuses) {
  config.cors_origin = {"https://app.example"};
  HttpClient client = connect();
  client.send(request("GET", "/channels/a", "Origin: https://app.example\r\n"));
  const auto* stream = gateway.wait_for_stream();
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(stream->request.forbidden("a"),
            "HTTP/1.1 403 Forbidden\r\nVary: Origin\r\n"
            "Access-Control-Allow-Origin: https://app.example\r\nAccess-Control-Allow-Credentials: true\r\n"
            "Access-Control-Expose-Headers: Retry-After\r\n"
            "Content-Type: application/json\r\nContent-Length: 94\r\nConnection: close\r\n\r\n"
            "{\"error\":\"Forbidden\",\"detail\":\"the bus refuses a subscription to this "
            "channel\",\"channel\":\"a\"}\n");
}

TEST_F(Streams, CarryTheAddressOfTheirClient) {
  HttpClient client = connect();
  client.send(request("GET", "/channels/a", "X-Forwarded-For: 203.0.113.9\r\n"));
  const auto* stream = gateway.wait_for_stream();
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(stream->request.client_address.text(), "127.0.0.1") << "Nobody is believed who is not trusted.";
}

TEST_F(Streams, CarryTheAddressThatATrustedProxySays) {
  config.trusted_proxy = {"127.0.0.0/8", "10.0.0.0/8"};
  HttpClient client = connect();
  // Two requests of one connection may be of two clients. Headers of the same name are one list.
  client.send(request("GET", "/channels/a/info", "X-Forwarded-For: 192.0.2.1\r\n"));
  EXPECT_EQ(client.response().status, 200);
  client.send(request("GET", "/channels/a",
                      "X-Forwarded-For: 198.51.100.7, 203.0.113.9\r\nX-FORWARDED-FOR: 10.0.0.2\r\n"));
  const auto* stream = gateway.wait_for_stream();
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(stream->request.client_address.text(), "203.0.113.9");
}

TEST_F(Streams, OfSeveralChannelsNameEachOnce) {
  HttpClient client = connect();
  client.send(request("GET", "/events?channel=a&channel=b&channel=a&channel=c%3A1"));
  const auto* stream = gateway.wait_for_stream();
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(stream->request.channels, (std::vector<std::string>{"a", "b", "c:1"}));
  EXPECT_EQ(stream->request.encoding.form, Form::kEvents);
}

TEST_F(Streams, MayHaveALongListOfChannels) {
  std::string target = "/events?";
  for (int i = 0; i < 100; ++i) target += "&channel=" + std::to_string(i) + std::string(90, 'x');
  HttpClient client = connect();
  client.send(request("GET", target));
  const auto* stream = gateway.wait_for_stream();
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(stream->request.channels.size(), 100U);
}

TEST_F(Streams, TakeTheHeaderBeforeTheQuery) {
  HttpClient first = connect();
  first.send(request("GET", "/channels/a?lastEventId=gold00000.1&replay=5&form=json",
                     "Last-Event-ID: gnew00000.%41\r\n"));
  const auto* stream = gateway.wait_for_stream(1);
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(stream->request.last_event_id, "gnew00000.%41") << "A header is not percent-encoded.";
  EXPECT_EQ(beginnings_of(*stream), "");
  EXPECT_EQ(stream->request.encoding.form, Form::kJson);
}

TEST_F(Streams, TakeTheQueryWithoutTheHeader) {
  HttpClient client = connect();
  client.send(request("GET", "/channels/a?lastEventId=gold00000.1%7Ex"));
  const auto* stream = gateway.wait_for_stream();
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(stream->request.last_event_id, "gold00000.1~x");
}

TEST_F(Streams, TakeTheLastOfSeveralIdsInEitherSpelling) {
  std::size_t opened = 0;
  for (const auto& [query, id] :
       std::vector<std::pair<std::string, std::string>>{{"lastEventId=gabc.1&lastEventId=gabc.2", "gabc.2"},
                                                        {"last_event_id=gabc.1", "gabc.1"},
                                                        {"lastEventId=gabc.1&last_event_id=gabc.2", "gabc.2"},
                                                        {"last_event_id=gabc.1&lastEventId=gabc.2", "gabc.2"},
                                                        {"lastEventId=gabc.1&last_event_id=", "gabc.1"}}) {
    HttpClient client = connect();
    client.send(request("GET", "/channels/a?" + query));
    const auto* stream = gateway.wait_for_stream(++opened);
    ASSERT_NE(stream, nullptr);
    EXPECT_EQ(stream->request.last_event_id, id) << query;
  }
}

TEST_F(Streams, NameTheParametersThatAreUnknown) {
  HttpClient client = connect();
  client.send(request("GET", "/events?channel=a&lastid=gabc.1"));
  const auto* stream = gateway.wait_for_stream();
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(stream->request.comments, ": unknown parameter \"lastid\"\n");
}

TEST_F(Streams, MayAskForAReplay) {
  HttpClient client = connect();
  client.send(request("GET", "/events?channel=a&replay=5&replay=7", "Accept: */*\r\n"));
  const auto* stream = gateway.wait_for_stream();
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(beginnings_of(*stream), "7");
}

TEST_F(Streams, MayAskForAllOfTheHistoryOrForATime) {
  struct Case {
    const char* query;
    const char* beginnings;
    std::optional<std::uint64_t> since;
  };
  std::size_t opened = 0;
  for (const auto& [query, beginnings, since] :
       {Case{"replay=all", "all", {}}, Case{"since=1795961157565", "", 1795961157565}, Case{"since=0", "", 0},
        Case{"replay=0&since=5", "", 5}, Case{"replay=2&since=5", "2", {}}, Case{"since=1&since=2", "", 2},
        Case{"lastEventId=1-1&since=5", "", {}}, Case{"lastEventId=1-1&replay=all", "", {}},
        Case{"replay.a=2&since=5", "2", 5}, Case{"replay=2&replay.a=0", "", {}}}) {
    HttpClient client = connect();
    client.send(request("GET", std::string("/channels/a?") + query));
    const auto* stream = gateway.wait_for_stream(++opened);
    ASSERT_NE(stream, nullptr) << query;
    EXPECT_EQ(beginnings_of(*stream), beginnings) << query;
    EXPECT_EQ(stream->request.since, since) << query;
    EXPECT_EQ(stream->request.comments, "") << query;
  }
}

TEST_F(Streams, BeginAsEachChannelOfThemIsAskedFor) {
  const std::string id = "lastEventId=gabc.1&";
  std::size_t opened = 0;
  for (const auto& [query, beginnings] : std::vector<std::pair<std::string, std::string>>{
           {"new=a", ""},
           {"new=a&replay.b=3", "0 3 0"},
           {"replay=5&replay.b=3&replay.user%3A42=all", "5 3 all"},
           {"replay.b=3&replay.b=4", "0 4 0"},
           {id + "new=b", "0 new:0 0"},
           {id + "new=b&new=user:42&new=b", "0 new:0 new:0"},
           {id + "new=b&replay=5", "0 new:0 0"},
           {id + "replay.b=20", ""},
           {id + "replay.b=20&new=b&replay.a=3", "0 new:20 0"},
           {id + "new=user%3A42&replay.user%3A42=all", "0 0 new:all"}}) {
    HttpClient client = connect();
    client.send(request("GET", "/events?channel=a&channel=b&channel=user%3A42&" + query));
    const auto* stream = gateway.wait_for_stream(++opened);
    ASSERT_NE(stream, nullptr) << query;
    EXPECT_EQ(beginnings_of(*stream), beginnings) << query;
    EXPECT_EQ(stream->request.comments, "") << query;
  }
  HttpClient client = connect();
  client.send(request("GET", "/channels/a?new=a&replay.a=2", "Last-Event-ID: gabc.1\r\n"));
  const auto* stream = gateway.wait_for_stream(++opened);
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(beginnings_of(*stream), "new:2");
}

TEST_F(Streams, OfHttp10HaveNoChunks) {
  HttpClient client = connect();
  client.send("GET /channels/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const auto* stream = gateway.wait_for_stream();
  ASSERT_NE(stream, nullptr);
  EXPECT_FALSE(stream->request.encoding.is_chunked);
  answer(*stream, "data: x\n\n");
  gateway.end_streams();
  const Response response = client.response();
  EXPECT_EQ(response.status, 200);
  EXPECT_FALSE(response.has("transfer-encoding"));
  EXPECT_EQ(response.header("connection"), "close");
  EXPECT_EQ(client.rest(), "data: x\n\n");
}

TEST_F(Streams, AnswerAHeadWithoutAPlace) {
  const Response response = ask("HEAD", "/channels/a", kEventStream);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.header("content-type"), "text/event-stream");
  EXPECT_FALSE(response.has("content-length"));
  HttpClient client = connect();
  client.send(request("HEAD", "/events?channel=a") + request("GET", "/channels/a/info"));
  EXPECT_EQ(client.response(false).status, 200);
  EXPECT_EQ(client.response().status, 200) << "The connection goes on behind a HEAD.";
  EXPECT_EQ(gateway.places, 0);
}

TEST_F(Streams, MayFollowInAPipeline) {
  HttpClient client = connect();
  client.send(request("POST", "/channels/a", "", "x") + request("GET", "/channels/a"));
  EXPECT_EQ(client.response().status, 202);
  ASSERT_NE(gateway.wait_for_stream(), nullptr);
}

TEST_F(Streams, OfAClientThatHalfClosesAreOpened) {
  HttpClient client = connect();
  client.send("GET /channels/a HTTP/1.0\r\n\r\n");
  client.half_close();
  const auto* stream = gateway.wait_for_stream();
  ASSERT_NE(stream, nullptr);
  answer(*stream, "data: x\n\n");
  EXPECT_EQ(client.response().status, 200);
}

void expect_overloaded(HttpClient& client, const std::string& reason, int retry_min = 10'000,
                       int retry_max = 30'000) {
  const Response response = client.response();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.header("content-type"), "text/event-stream");
  EXPECT_EQ(response.header("cache-control"), "no-cache, no-transform");
  const DecodedEvent event = decode_block(response.body);
  EXPECT_EQ(event.type, "weir:overloaded");
  EXPECT_EQ(event.data, "{\"reason\":\"" + reason + "\"}");
  ASSERT_TRUE(event.retry);
  EXPECT_GE(event.retry->count(), retry_min);
  EXPECT_LE(event.retry->count(), retry_max);
  EXPECT_TRUE(client.is_closed_by_peer());
}

TEST_F(Streams, ThatFindNoPlaceGetAnAnswerThatAnEventSourceComesBackFrom) {
  gateway.refusal = NoPlace::kClients;
  HttpClient client = connect();
  client.send(request("GET", "/channels/a", kEventStream));
  expect_overloaded(client, "clients");
}

TEST_F(Streams, ThatComeToADrainingGatewayComeBackAsSoonAsThoseThatItEnds) {
  gateway.refusal = NoPlace::kDraining;
  HttpClient client = connect();
  client.send(request("GET", "/channels/a", kEventStream));
  expect_overloaded(client, "draining", 2'000, 4'000);
  const Response response = ask("GET", "/channels/a", "Accept: */*\r\n");
  EXPECT_EQ(response.status, 503);
  EXPECT_GE(std::stoi(response.header("retry-after")), 2);
}

TEST_F(Streams, ThatComeToADrainingGatewayMayBeToldToHurry) {
  config.drain_retry = std::chrono::milliseconds(400);
  gateway.refusal = NoPlace::kDraining;
  HttpClient client = connect();
  client.send(request("GET", "/channels/a", kEventStream));
  expect_overloaded(client, "draining", 400, 600);
  EXPECT_EQ(ask("GET", "/channels/a", "Accept: */*\r\n").header("retry-after"), "1");
}

TEST_F(Streams, ThatFindNoPlaceGetAStatusIfTheyAreNoEventSource) {
  gateway.refusal = NoPlace::kClients;
  for (const char* accept : {"Accept: */*\r\n", ""}) {
    const Response response = ask("GET", "/channels/a", accept);
    EXPECT_EQ(response.status, 503);
    EXPECT_GE(std::stoi(response.header("retry-after")), 10);
    EXPECT_EQ(response.header("connection"), "close");
  }
}

TEST_F(Streams, ThatAreTooManyOfOneClientAreThatClientsFault) {
  gateway.refusal = NoPlace::kClientsPerAddress;
  const Response response = ask("GET", "/channels/a", "Accept: */*\r\n");
  EXPECT_EQ(response.status, 429);
  EXPECT_GE(std::stoi(response.header("retry-after")), 10);
  HttpClient client = connect();
  client.send(request("GET", "/channels/a", kEventStream));
  expect_overloaded(client, "clients-per-address");
  EXPECT_NE(metrics.render().find("weir_http_refused_total{reason=\"clients-per-address\"} 2"),
            std::string::npos);
}

TEST_F(Streams, ThatTheHubWontTakeGiveTheirPlaceBack) {
  gateway.has_no_channels = true;
  config.cors_origin = {"*"};
  HttpClient client = connect();
  client.send(request("GET", "/channels/a", kEventStream));
  expect_overloaded(client, "channels");
  EXPECT_EQ(gateway.places, 0);
  EXPECT_EQ(
      ask("GET", "/channels/a", "Accept: */*\r\nOrigin: http://x\r\n").header("access-control-allow-origin"),
      "*");
}

TEST_F(Streams, RefusedAreCounted) {
  gateway.refusal = NoPlace::kClients;
  ask("GET", "/channels/a", "Accept: */*\r\n");
  EXPECT_NE(metrics.render().find("weir_http_refused_total{reason=\"clients\"} 1"), std::string::npos);
}

}  // namespace
}  // namespace weir
