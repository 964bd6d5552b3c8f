// The traps of cpp-httplib, without sockets: what goes through process_request() of a server that never
// listens.
#include "broker/http/engine.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace weir {
namespace {

Request request_of(const std::string& method, const std::string& path, std::vector<Header> headers = {}) {
  Request request;
  request.head.method = method;
  request.head.path = path;
  request.head.headers = std::move(headers);
  request.head.headers.push_back({"host", "localhost"});
  return request;
}

Reply text_reply(std::string body) {
  Reply reply;
  reply.content_type = "text/plain";
  reply.body = std::move(body);
  return reply;
}

Reply stream_reply(Place place = {}) {
  Reply reply;
  reply.content_type = "text/event-stream";
  reply.headers.push_back({"Cache-Control", "no-cache, no-transform"});
  reply.stream.emplace();
  reply.stream->request.channels = {"a"};
  reply.stream->place = std::move(place);
  reply.stream->if_forbidden = std::make_unique<Reply>(error_reply(403, "not here"));
  return reply;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Engine, RunsARequestWithoutEverListening) {
  Engine engine([](Request& request) { return text_reply(request.head.path); });
  Request request = request_of("GET", "/some/path");
  const Answer answer = engine.run(request);
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(contains(answer.bytes, "HTTP/1.1 200 OK\r\n")) << answer.bytes;
  EXPECT_TRUE(contains(answer.bytes, "Content-Length: 10\r\n")) << answer.bytes;
  EXPECT_TRUE(answer.bytes.ends_with("\r\n\r\n/some/path")) << answer.bytes;
}

// The place is an object: the library's resource releaser says false also after a stream was handed over.
TEST(Engine, HandsAStreamOverWithItsHeadAndItsPlace) {
  bool has_place = true;
  Engine engine([&](Request&) { return stream_reply(Place([&] { has_place = false; })); });
  Request request = request_of("GET", "/channels/a");
  {
    const Answer answer = engine.run(request);
    ASSERT_TRUE(answer.stream) << "The provider was not called.";
    const std::string& head = answer.stream->request.head;
    EXPECT_TRUE(head.starts_with("HTTP/1.1 200 OK\r\n")) << head;
    EXPECT_TRUE(head.ends_with("\r\n\r\n")) << head;
    EXPECT_TRUE(contains(head, "Content-Type: text/event-stream\r\n")) << head;
    EXPECT_TRUE(contains(head, "Transfer-Encoding: chunked\r\n")) << head;
    EXPECT_FALSE(contains(head, "Keep-Alive")) << head;
    EXPECT_FALSE(contains(head, "Content-Encoding")) << head;
    EXPECT_TRUE(answer.stream->request.encoding.is_chunked);
    EXPECT_TRUE(has_place);
  }
  EXPECT_FALSE(has_place);
}

TEST(Engine, GivesHttp10AStreamWithoutChunks) {
  Engine engine([](Request&) { return stream_reply(); });
  Request request = request_of("GET", "/channels/a");
  request.head.is_http_1_0 = true;
  const Answer answer = engine.run(request);
  ASSERT_TRUE(answer.stream);
  EXPECT_FALSE(answer.stream->request.encoding.is_chunked);
  EXPECT_FALSE(contains(answer.stream->request.head, "Transfer-Encoding")) << answer.stream->request.head;
  EXPECT_TRUE(contains(answer.stream->request.head, "Connection: close\r\n")) << answer.stream->request.head;
}

TEST(Engine, GivesTheHeadOfAStreamNoLengthAndNoChunks) {
  Engine engine([](Request&) {
    Reply reply = stream_reply();
    reply.stream.reset();
    reply.is_stream_head = true;
    return reply;
  });
  Request request = request_of("HEAD", "/channels/a");
  const Answer answer = engine.run(request);
  EXPECT_FALSE(answer.stream);
  EXPECT_TRUE(contains(answer.bytes, "Content-Type: text/event-stream\r\n")) << answer.bytes;
  EXPECT_FALSE(contains(answer.bytes, "Content-Length")) << answer.bytes;
  EXPECT_FALSE(contains(answer.bytes, "Transfer-Encoding")) << answer.bytes;
}

TEST(Engine, GivesOtherHeadsTheLengthAndNoBody) {
  Engine engine([](Request&) { return text_reply("four"); });
  Request request = request_of("HEAD", "/");
  const Answer answer = engine.run(request);
  EXPECT_TRUE(contains(answer.bytes, "Content-Length: 4\r\n")) << answer.bytes;
  EXPECT_TRUE(answer.bytes.ends_with("\r\n\r\n")) << answer.bytes;
}

TEST(Engine, KeepsFromTheLibraryWhatItWouldActOn) {
  std::string ranges = "bytes=0-0";
  for (int i = 1; i < 1'900; ++i) ranges += "," + std::to_string(i) + "-" + std::to_string(i);
  Engine engine([](Request&) { return text_reply(std::string(100'000, 'x')); });
  Request request = request_of(
      "GET", "/", {{"range", ranges}, {"accept-encoding", "gzip, br"}, {"expect", "100-continue"}});
  const Answer answer = engine.run(request);
  EXPECT_EQ(answer.status, 200);
  EXPECT_FALSE(contains(answer.bytes, "Content-Encoding"));
  EXPECT_FALSE(contains(answer.bytes, "Content-Range"));
  EXPECT_TRUE(answer.bytes.ends_with(std::string(100'000, 'x')));
}

TEST(Engine, TakesAPathAsLongAsTheFrontLetsThrough) {
  const std::string path = "/" + std::string(kPathBytesMax - 1, 'a');
  Engine engine([](Request& request) { return text_reply(request.head.path); });
  Request request = request_of("GET", path);
  EXPECT_TRUE(engine.run(request).bytes.ends_with(path));
}

TEST(Engine, LeavesTheConnectionToTheFront) {
  Engine engine([](Request&) { return text_reply("x"); });
  Request request = request_of("GET", "/");
  EXPECT_FALSE(contains(engine.run(request).bytes, "Connection"));
  EXPECT_FALSE(contains(engine.run(request).bytes, "Keep-Alive"));
  request.keeps_alive = false;
  EXPECT_TRUE(contains(engine.run(request).bytes, "\r\nConnection: close\r\n"));
  request.keeps_alive = true;
  request.head.is_http_1_0 = true;
  EXPECT_TRUE(contains(engine.run(request).bytes, "\r\nConnection: keep-alive\r\n"));
}

TEST(Engine, GivesA204NoLength) {
  Engine engine([](Request&) {
    Reply reply;
    reply.status = 204;
    return reply;
  });
  Request request = request_of("OPTIONS", "/");
  const Answer answer = engine.run(request);
  EXPECT_TRUE(answer.bytes.starts_with("HTTP/1.1 204 ")) << answer.bytes;
  EXPECT_FALSE(contains(answer.bytes, "Content-Length")) << answer.bytes;
}

TEST(Engine, TurnsAThrowIntoA500ThatTellsNoDetails) {
  Engine engine([](Request&) -> Reply { throw std::runtime_error("secret"); });
  Request request = request_of("GET", "/");
  const Answer answer = engine.run(request);
  EXPECT_EQ(answer.status, 500);
  EXPECT_FALSE(contains(answer.bytes, "secret")) << answer.bytes;
  Engine odd_engine([](Request&) -> Reply { throw 42; });
  EXPECT_EQ(odd_engine.run(request).status, 500);
}

TEST(Engine, PassesAPublicationOn) {
  Engine engine([](Request& request) {
    Reply reply;
    reply.publication.emplace(Reply::Publication{"a", std::move(request.body), nullptr});
    return reply;
  });
  Request request =
      request_of("POST", "/channels/a", {{"content-type", "application/x-www-form-urlencoded"}});
  request.body = "a=1&b=%20";
  const Answer answer = engine.run(request);
  ASSERT_TRUE(answer.publication);
  EXPECT_EQ(answer.publication->payload, "a=1&b=%20");
}

}  // namespace
}  // namespace weir
