#include "publishers/delivery/http_sink.h"

#include <gtest/gtest.h>
#include <httplib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <latch>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "publishers/delivery/target.h"

namespace weir {
namespace {

// A gateway that answers what it is told to.
class Gateway {
 public:
  Gateway() {
    server_.Post(R"(/.*)", [this](const httplib::Request& request, httplib::Response& response) {
      const std::lock_guard lock(mutex_);
      requests_.emplace_back(request.path, request.body);
      authorization_ = request.get_header_value("Authorization");
      keys_.push_back(request.has_header("Idempotency-Key") ? request.get_header_value("Idempotency-Key")
                                                            : "none");
      ports_.push_back(request.remote_port);
      response.status = status_;
      const std::string name = request.path.substr(request.path.find("/channels/") + 10);
      const std::string accepted = R"({"channel":")" + name.substr(0, name.find('/')) + R"(","receivers":1})";
      const std::string body = status_ == 202 ? accepted : R"({"error":"because"})";
      if (status_ != 204) response.set_content(body_.value_or(body) + "\n", "application/json");
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~Gateway() {
    server_.stop();
    thread_.join();
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  void answer_with(int status, std::optional<std::string> body = {}) {
    const std::lock_guard lock(mutex_);
    status_ = status;
    body_ = std::move(body);
  }
  std::vector<std::pair<std::string, std::string>> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  std::string authorization() {
    const std::lock_guard lock(mutex_);
    return authorization_;
  }
  // The idempotency key of each request.
  std::vector<std::string> keys() {
    const std::lock_guard lock(mutex_);
    return keys_;
  }
  std::vector<int> ports() {
    const std::lock_guard lock(mutex_);
    return ports_;
  }

 private:
  httplib::Server server_;
  std::thread thread_;
  int port_ = 0;
  std::mutex mutex_;
  int status_ = 202;
  std::optional<std::string> body_;  // Instead of a gateway's own.
  std::vector<std::pair<std::string, std::string>> requests_;
  std::vector<int> ports_;
  std::string authorization_;
  std::vector<std::string> keys_;
};

HttpSink connect(const std::string& url,
                 std::chrono::milliseconds timeout = std::chrono::milliseconds(30'000)) {
  return HttpSink(*parse_target(url), {.redis_prefix = "app:", .timeout = timeout});
}

using Requests = std::vector<std::pair<std::string, std::string>>;

TEST(HttpSink, PostsEachMessageInOrderOnOneConnection) {
  Gateway gateway;
  auto sink = connect(gateway.url());
  const std::vector<std::string> payloads{R"({"msg":"a"})", "b", ""};
  const auto result = sink.publish("user:42@x", payloads, {}, {});
  EXPECT_EQ(result.outcome, Outcome::kPublished);
  EXPECT_EQ(result.confirmed, 3U);
  EXPECT_EQ(gateway.requests(), (Requests{{"/channels/user:42@x", R"({"msg":"a"})"},
                                          {"/channels/user:42@x", "b"},
                                          {"/channels/user:42@x", ""}}));
  const auto ports = gateway.ports();
  EXPECT_EQ(ports, std::vector<int>(3, ports.front()));
}

TEST(HttpSink, PostsTheEndBelowTheBase) {
  Gateway gateway;
  auto sink = connect(gateway.url() + "/weir/");
  EXPECT_EQ(sink.publish_end("news", {}, {}).outcome, Outcome::kPublished);
  EXPECT_EQ(gateway.requests(), (Requests{{"/weir/channels/news/end", ""}}));
}

TEST(HttpSink, SendsTheKeyOfEachMessageAndOfTheEndAsAHeader) {
  Gateway gateway;
  auto sink = connect(gateway.url());
  const std::vector<std::string> payloads{"a", "b"};
  const std::vector<std::string> keys{"k:1", "k:2"};
  sink.publish("news", Messages(payloads, keys), {}, {});
  sink.publish("news", payloads, {}, {});
  sink.publish_end("news", "k:end", {});
  sink.publish_end("news", {}, {});
  EXPECT_EQ(gateway.keys(), (std::vector<std::string>{"k:1", "k:2", "none", "none", "k:end", "none"}));
}

TEST(HttpSink, CountsWhatTheGatewayHasHadAlready) {
  Gateway gateway;
  auto sink = connect(gateway.url());
  const std::vector<std::string> payloads{"a", "b"};
  gateway.answer_with(202, R"({"channel":"news","id":"1-1","repeated":true})");
  EXPECT_EQ(sink.publish("news", payloads, {}, {}).known, 2U);
  for (const char* other : {"false", "\"true\"", "1"}) {
    gateway.answer_with(202, std::string(R"({"repeated":)") + other + R"(,"channel":"news"})");
    const auto result = sink.publish("news", payloads, {}, {});
    EXPECT_EQ(result.confirmed, 2U) << other;
    EXPECT_EQ(result.known, 0U) << other;
  }
}

TEST(HttpSink, SaysWhatAStatusMeansForTheMessage) {
  Gateway gateway;
  auto sink = connect(gateway.url());
  const std::vector<std::string> payloads{"a", "b"};
  const std::vector<std::pair<int, Outcome>> cases{
      {202, Outcome::kPublished}, {503, Outcome::kFailed},  {429, Outcome::kFailed},
      {504, Outcome::kUnknown},   {502, Outcome::kUnknown}, {500, Outcome::kUnknown},
      {401, Outcome::kRefused},   {403, Outcome::kRefused}, {413, Outcome::kTooLarge},
      {404, Outcome::kRefused},   {408, Outcome::kFailed}};
  for (const auto& [status, outcome] : cases) {
    gateway.answer_with(status);
    const auto result = sink.publish("news", payloads, {}, {});
    EXPECT_EQ(result.outcome, outcome) << status;
    EXPECT_EQ(result.confirmed, outcome == Outcome::kPublished ? 2U : 0U) << status;
    EXPECT_EQ(result.unknown, outcome == Outcome::kUnknown ? 1U : 0U) << status;
    if (outcome == Outcome::kPublished) continue;
    EXPECT_NE(result.error.find(std::to_string(status)), std::string::npos);
    EXPECT_NE(result.error.find("because"), std::string::npos);
    EXPECT_TRUE(result.error.ends_with("}")) << result.error;
    EXPECT_EQ(result.error.find('\n'), std::string::npos);
  }
}

TEST(HttpSink, TakesNothingButAGatewaysOwnAnswerForAConfirmation) {
  Gateway gateway;
  auto sink = connect(gateway.url());
  const std::string own = R"({"channel":"news","receivers":0,"subscribers":0})";
  const std::vector<std::pair<int, std::string>> cases{
      {200, own},
      {200, "<html>It works!</html>"},
      {204, ""},
      {201, "{}"},
      {301, ""},
      {302, "<html>Log in</html>"},
      {202, ""},
      {202, "{}"},
      {202, "<html>Accepted</html>"},
      {202, R"({"channel":"other","receivers":0})"},
      {202, R"({"channel":7})"},
      {202, R"(["channel","news"])"},
      {202, own + own},
      {202, own + std::string(100'000, ' ')},
  };
  for (const auto& [status, body] : cases) {
    gateway.answer_with(status, body);
    const auto result = sink.publish("news", std::vector<std::string>{"a", "b"}, {}, {});
    EXPECT_EQ(result.outcome, Outcome::kRefused) << status << body;
    EXPECT_EQ(result.confirmed + result.unknown, 0U) << status << body;
    const std::string why = ": this is no weir gateway (status " + std::to_string(status) + ")";
    EXPECT_EQ(result.error, gateway.url() + why);
  }
  gateway.answer_with(202, " { \"receivers\" : 0, \"channel\" : \"news\" } ");
  EXPECT_EQ(sink.publish("news", std::vector<std::string>{"a"}, {}, {}).outcome, Outcome::kPublished);
}

TEST(HttpSink, AMessageThatIsTooLargeStopsNeitherThoseBeforeItNorThoseBehindIt) {
  Gateway gateway;
  auto sink = connect(gateway.url());
  gateway.answer_with(413);
  const std::vector<std::string> payloads{"a", "b"};
  const auto result = sink.publish("news", payloads, {}, {});
  EXPECT_EQ(result.outcome, Outcome::kTooLarge);
  EXPECT_EQ(result.unknown, 0U);
  EXPECT_EQ(gateway.requests().size(), 1U);
  gateway.answer_with(202);
  EXPECT_EQ(sink.publish("news", std::span<const std::string>(payloads).subspan(1), {}, {}).outcome,
            Outcome::kPublished);
}

TEST(HttpSink, AGatewaysOwn502IsARefusal) {
  Gateway gateway;
  auto sink = connect(gateway.url());
  gateway.answer_with(502, R"({"error":"Bad Gateway","detail":"nothing was published: the bus refused it"})");
  EXPECT_EQ(sink.publish("news", std::vector<std::string>{"a"}, {}, {}).outcome, Outcome::kRefused);
  gateway.answer_with(502, "<html>Bad Gateway</html>");
  EXPECT_EQ(sink.publish("news", std::vector<std::string>{"a"}, {}, {}).outcome, Outcome::kUnknown);
}

TEST(HttpSink, FailsForCertainWhileNobodyListens) {
  std::string url;
  {
    const Gateway gateway;
    url = gateway.url();
  }
  auto sink = connect(url);
  const auto result = sink.publish("news", std::vector<std::string>{"a"}, {}, {});
  EXPECT_EQ(result.outcome, Outcome::kFailed);
  EXPECT_EQ(result.unknown, 0U);
}

TEST(HttpSink, SendsUserAndPasswordAsBasicAuthorizationAndPrintsNeither) {
  Gateway gateway;
  gateway.answer_with(401);
  auto sink = connect("http://ann:secret@" + gateway.url().substr(7));
  const auto result = sink.publish("news", std::vector<std::string>{"a"}, {}, {});
  EXPECT_EQ(gateway.authorization(), "Basic YW5uOnNlY3JldA==");
  EXPECT_EQ(result.error.find("secret"), std::string::npos);
}

TEST(HttpSink, SendsTheTokenThatIsInItsFileNow) {
  Gateway gateway;
  const std::string path = testing::TempDir() + "weir-token-" + std::to_string(::getpid());
  HttpSink sink(*parse_target(gateway.url()),
                {.redis_prefix = "", .token_file = path, .timeout = std::chrono::seconds(10)});
  const std::vector<std::string> payload{"a"};
  EXPECT_EQ(sink.publish("news", payload, {}, {}).outcome, Outcome::kFailed) << "There is no file yet.";
  EXPECT_TRUE(gateway.requests().empty());
  std::ofstream(path) << "a.b.c\n";
  EXPECT_EQ(sink.publish("news", payload, {}, {}).outcome, Outcome::kPublished);
  EXPECT_EQ(gateway.authorization(), "Bearer a.b.c");
  std::ofstream(path) << "d.e.f";
  gateway.answer_with(401);
  const auto refused = sink.publish_end("news", {}, {});
  EXPECT_EQ(gateway.authorization(), "Bearer d.e.f");
  EXPECT_EQ(refused.outcome, Outcome::kFailed) << "The next one may be better.";
  EXPECT_EQ(refused.error.find("d.e.f"), std::string::npos);
  for (const std::string& bad :
       {std::string(), std::string(" \n"), std::string("a\r\nX: y"), std::string(9'000, 'x')}) {
    std::ofstream(path) << bad;
    EXPECT_NE(sink.publish("news", payload, {}, {}).error.find("token-file"), std::string::npos) << bad;
  }
  ::unlink(path.c_str());
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_NE(sink.publish("news", payload, {}, {}).error.find("is no regular file"), std::string::npos)
      << "Nobody writes to it, and nobody waits for that.";
  ::unlink(path.c_str());
}

// Accepts, and never answers.
class Listener {
 public:
  Listener() {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(fd_, 8), 0);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~Listener() { ::close(fd_); }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int accept() const { return ::accept(fd_, nullptr, nullptr); }

 private:
  int fd_ = -1;
  int port_ = 0;
};

TEST(HttpSink, DoesNotKnowWhatBecameOfAMessageThatWasNotAnswered) {
  const Listener listener;
  auto sink = connect(listener.url(), std::chrono::milliseconds(200));
  const auto result = sink.publish("news", std::vector<std::string>{"a", "b"}, {}, {});
  EXPECT_EQ(result.outcome, Outcome::kUnknown);
  EXPECT_EQ(result.unknown, 1U);
}

// Gives one answer, whatever is asked, and closes.
BatchResult result_of(const std::string& answer) {
  const Listener listener;
  auto sink = connect(listener.url());
  const std::jthread other([&] {
    const int connection = listener.accept();
    std::string request;
    for (char byte = 0; !request.ends_with("\r\n\r\nhello") && ::recv(connection, &byte, 1, 0) == 1;) {
      request += byte;
    }
    for (std::string_view rest = answer; !rest.empty();) {
      const auto n = ::send(connection, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (n <= 0) break;
      rest.remove_prefix(static_cast<std::size_t>(n));
    }
    ::close(connection);
  });
  return sink.publish("news", std::vector<std::string>{"hello"}, {}, {});
}

TEST(HttpSink, DoesNotKnowWhatBecameOfAMessageWhoseAnswerIsCutOff) {
  for (const char* answer : {"HTTP/1.1 202 Accepted\r\nContent-Length: 46\r\n\r\n{\"channel\":\"news\"",
                             "HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n12\r\n{\"channel",
                             "HTTP/1.1 202 Acc", ""}) {
    const auto result = result_of(answer);
    EXPECT_EQ(result.outcome, Outcome::kUnknown) << answer;
    EXPECT_EQ(result.unknown, 1U) << answer;
  }
}

TEST(HttpSink, ReadsNoMoreOfAnAnswerThanAGatewaySays) {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 68719476736\r\n\r\n";
  const auto result = result_of(head + std::string(32 << 20, 'x'));
  EXPECT_EQ(result.outcome, Outcome::kRefused);
  EXPECT_NE(result.error.find("no weir gateway (status 200)"), std::string::npos) << result.error;
}

TEST(HttpSink, AStopEndsAWaitForAnAnswer) {
  const Listener listener;
  auto sink = connect(listener.url(), std::chrono::hours(1));
  std::stop_source stop;
  const std::jthread other([&] {
    const int connection = listener.accept();
    char byte = 0;
    EXPECT_EQ(::recv(connection, &byte, 1, 0), 1);
    stop.request_stop();
    while (::recv(connection, &byte, 1, 0) > 0) continue;
    ::close(connection);
  });
  const auto result = sink.publish("news", std::vector<std::string>{"a"}, stop.get_token(), {});
  EXPECT_EQ(result.outcome, Outcome::kStopped);
  EXPECT_EQ(result.unknown, 1U);
}

}  // namespace
}  // namespace weir
