// The traps of cpp-httplib, without sockets: what goes through process_request() of a
// server that never listens.
#include "broker/http/httplib_engine.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "tests/unit/http/fake_handler.h"

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

// A stream that shows what it was given.
class FakeOpening final : public StreamOpening {
 public:
  explicit FakeOpening(std::function<void()> on_end = {}) : on_end_(std::move(on_end)) {}
  ~FakeOpening() override {
    if (on_end_) on_end_();
  }
  void set_head(std::string head, const Delivery& delivery) override {
    head_ = std::move(head);
    delivery_ = delivery;
  }
  bool open(int) override { return true; }
  Reply refusal() override { return {}; }

  const std::string& head() const { return head_; }
  const Delivery& delivery() const { return delivery_; }

 private:
  std::function<void()> on_end_;
  std::string head_;
  Delivery delivery_;
};

const FakeOpening& opening_of(const Answer& answer) { return dynamic_cast<FakeOpening&>(*answer.stream); }

Reply stream_reply(std::function<void()> on_end = {}) {
  Reply reply;
  reply.content_type = "text/event-stream";
  reply.headers.push_back({"Cache-Control", "no-cache, no-transform"});
  reply.stream = std::make_unique<FakeOpening>(std::move(on_end));
  return reply;
}

// An engine whose handler is `handle`.
class Runner {
 public:
  explicit Runner(std::function<Reply(Request&)> handle) : handler_(std::move(handle)) {}
  Answer run(Request& request) { return engine_.run(request); }

 private:
  FakeHandler handler_;
  HttplibEngine engine_{handler_};
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(HttplibEngine, RunsARequestWithoutEverListening) {
  Runner engine([](Request& request) { return text_reply(request.head.path); });
  Request request = request_of("GET", "/some/path");
  const Answer answer = engine.run(request);
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(contains(answer.bytes, "HTTP/1.1 200 OK\r\n")) << answer.bytes;
  EXPECT_TRUE(contains(answer.bytes, "Content-Length: 10\r\n")) << answer.bytes;
  EXPECT_TRUE(answer.bytes.ends_with("\r\n\r\n/some/path")) << answer.bytes;
}

// What a stream holds goes with the object: the library's resource releaser says false also after a stream
// was handed over.
TEST(HttplibEngine, HandsAStreamOverWithItsHeadAndAllThatItHolds) {
  bool has_place = true;
  Runner engine([&](Request&) { return stream_reply([&] { has_place = false; }); });
  Request request = request_of("GET", "/channels/a");
  {
    const Answer answer = engine.run(request);
    ASSERT_TRUE(answer.stream) << "The provider was not called.";
    const std::string& head = opening_of(answer).head();
    EXPECT_TRUE(head.starts_with("HTTP/1.1 200 OK\r\n")) << head;
    EXPECT_TRUE(head.ends_with("\r\n\r\n")) << head;
    EXPECT_TRUE(contains(head, "Content-Type: text/event-stream\r\n")) << head;
    EXPECT_TRUE(contains(head, "Transfer-Encoding: chunked\r\n")) << head;
    EXPECT_FALSE(contains(head, "Keep-Alive")) << head;
    EXPECT_FALSE(contains(head, "Content-Encoding")) << head;
    EXPECT_FALSE(opening_of(answer).delivery().is_http_1_0);
    EXPECT_TRUE(answer.bytes.empty());
    EXPECT_TRUE(has_place);
  }
  EXPECT_FALSE(has_place);
}

TEST(HttplibEngine, GivesHttp10AStreamWithoutChunks) {
  Runner engine([](Request&) { return stream_reply(); });
  Request request = request_of("GET", "/channels/a");
  request.head.is_http_1_0 = true;
  const Answer answer = engine.run(request);
  ASSERT_TRUE(answer.stream);
  EXPECT_TRUE(opening_of(answer).delivery().is_http_1_0);
  EXPECT_FALSE(contains(opening_of(answer).head(), "Transfer-Encoding")) << opening_of(answer).head();
  EXPECT_TRUE(contains(opening_of(answer).head(), "Connection: close\r\n")) << opening_of(answer).head();
}

TEST(HttplibEngine, GivesTheHeadOfAStreamNoLengthAndNoChunks) {
  Runner engine([](Request&) {
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

TEST(HttplibEngine, GivesOtherHeadsTheLengthAndNoBody) {
  Runner engine([](Request&) { return text_reply("four"); });
  Request request = request_of("HEAD", "/");
  const Answer answer = engine.run(request);
  EXPECT_TRUE(contains(answer.bytes, "Content-Length: 4\r\n")) << answer.bytes;
  EXPECT_TRUE(answer.bytes.ends_with("\r\n\r\n")) << answer.bytes;
}

TEST(HttplibEngine, KeepsFromTheLibraryWhatItWouldActOn) {
  std::string ranges = "bytes=0-0";
  for (int i = 1; i < 1'900; ++i) ranges += "," + std::to_string(i) + "-" + std::to_string(i);
  Runner engine([](Request&) { return text_reply(std::string(100'000, 'x')); });
  Request request = request_of(
      "GET", "/", {{"range", ranges}, {"accept-encoding", "gzip, br"}, {"expect", "100-continue"}});
  const Answer answer = engine.run(request);
  EXPECT_EQ(answer.status, 200);
  EXPECT_FALSE(contains(answer.bytes, "Content-Encoding"));
  EXPECT_FALSE(contains(answer.bytes, "Content-Range"));
  EXPECT_TRUE(answer.bytes.ends_with(std::string(100'000, 'x')));
}

TEST(HttplibEngine, TakesAPathAsLongAsTheFrontLetsThrough) {
  const std::string path = "/" + std::string(kPathBytesMax - 1, 'a');
  Runner engine([](Request& request) { return text_reply(request.head.path); });
  Request request = request_of("GET", path);
  EXPECT_TRUE(engine.run(request).bytes.ends_with(path));
}

TEST(HttplibEngine, LeavesTheConnectionToTheFront) {
  Runner engine([](Request&) { return text_reply("x"); });
  Request request = request_of("GET", "/");
  EXPECT_FALSE(contains(engine.run(request).bytes, "Connection"));
  EXPECT_FALSE(contains(engine.run(request).bytes, "Keep-Alive"));
  request.keeps_alive = false;
  EXPECT_TRUE(contains(engine.run(request).bytes, "\r\nConnection: close\r\n"));
  request.keeps_alive = true;
  request.head.is_http_1_0 = true;
  EXPECT_TRUE(contains(engine.run(request).bytes, "\r\nConnection: keep-alive\r\n"));
}

TEST(HttplibEngine, GivesA204NoLength) {
  Runner engine([](Request&) {
    Reply reply;
    reply.status = 204;
    return reply;
  });
  Request request = request_of("OPTIONS", "/");
  const Answer answer = engine.run(request);
  EXPECT_TRUE(answer.bytes.starts_with("HTTP/1.1 204 ")) << answer.bytes;
  EXPECT_FALSE(contains(answer.bytes, "Content-Length")) << answer.bytes;
}

TEST(HttplibEngine, TurnsAThrowIntoA500ThatTellsNoDetails) {
  Runner engine([](Request&) -> Reply { throw std::runtime_error("secret"); });
  Request request = request_of("GET", "/");
  const Answer answer = engine.run(request);
  EXPECT_EQ(answer.status, 500);
  EXPECT_FALSE(contains(answer.bytes, "secret")) << answer.bytes;
  Runner odd_engine([](Request&) -> Reply { throw 42; });
  EXPECT_EQ(odd_engine.run(request).status, 500);
}

TEST(HttplibEngine, PassesALaterReplyOn) {
  Runner engine([](Request& request) {
    Reply reply;
    reply.later = [body = std::move(request.body)](const std::function<void(Reply::Make)>& done) {
      done([body] { return text_reply(body); });
    };
    return reply;
  });
  Request request =
      request_of("POST", "/channels/a", {{"content-type", "application/x-www-form-urlencoded"}});
  request.body = "a=1&b=%20";
  const Answer answer = engine.run(request);
  ASSERT_TRUE(answer.later);
  std::string body;
  answer.later([&](const Reply::Make& make) { body = make().body; });
  EXPECT_EQ(body, "a=1&b=%20");
}

}  // namespace
}  // namespace weir
