#include "broker/base/http_client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>

namespace weir {
namespace {

constexpr std::chrono::seconds kGenerous{60};

// A server of one connection: reads a request, sends `answer` and closes; says nothing without one.
class Server {
 public:
  explicit Server(std::optional<std::string> answer, bool is_v6 = false)
      : listener_(::socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
        answer_(std::move(answer)) {
    sockaddr_storage address{};
    if (is_v6) {
      auto& v6 = reinterpret_cast<sockaddr_in6&>(address);
      v6.sin6_family = AF_INET6;
      v6.sin6_addr = in6addr_loopback;
    } else {
      auto& v4 = reinterpret_cast<sockaddr_in&>(address);
      v4.sin_family = AF_INET;
      v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    socklen_t size = is_v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    is_bound_ = ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(is_v6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                        : reinterpret_cast<sockaddr_in&>(address).sin_port);
    ::listen(listener_, 1);
    if (is_bound_ && answer_) thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    if (thread_.joinable()) thread_.join();
    ::close(listener_);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  bool is_bound() const { return is_bound_; }
  std::uint16_t port() const { return port_; }
  // From now on it sends the answer again and again, until its client goes.
  void repeat() { is_repeating_ = true; }
  // What was asked. The answer has been sent.
  const std::string& request() {
    thread_.join();
    return request_;
  }

 private:
  void serve() {
    const int client = ::accept(listener_, nullptr, nullptr);
    char buffer[4'096];
    while (request_.find("\r\n\r\n") == std::string::npos) {
      const ssize_t size = ::recv(client, buffer, sizeof buffer, 0);
      if (size <= 0) break;
      request_.append(buffer, static_cast<std::size_t>(size));
    }
    while (::send(client, answer_->data(), answer_->size(), MSG_NOSIGNAL) > 0 && is_repeating_) {
    }
    ::close(client);
  }

  const int listener_;
  const std::optional<std::string> answer_{};
  std::atomic<bool> is_repeating_{false};
  bool is_bound_ = false;
  std::uint16_t port_ = 0;
  std::string request_;
  std::thread thread_;
};

HttpFailure failure_of(const std::variant<HttpAnswer, HttpFailure>& outcome) {
  const auto* failure = std::get_if<HttpFailure>(&outcome);
  EXPECT_NE(failure, nullptr);
  return failure == nullptr ? HttpFailure{} : *failure;
}

TEST(HttpGet, ReturnsStatusAndBody) {
  Server server("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbody");
  const auto outcome = http_get("127.0.0.1", server.port(), "/readyz", kGenerous);
  const auto* answer = std::get_if<HttpAnswer>(&outcome);
  ASSERT_NE(answer, nullptr);
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(answer->reason, "Service Unavailable");
  EXPECT_EQ(answer->body, "body");
  const std::string& request = server.request();
  EXPECT_TRUE(request.starts_with("GET /readyz HTTP/1.1\r\n")) << request;
  EXPECT_NE(request.find("Host: localhost\r\n"), std::string::npos) << request;
}

TEST(HttpGet, TakesIpv6Addresses) {
  Server server("HTTP/1.1 204 No Content\r\n\r\n", true);
  if (!server.is_bound()) GTEST_SKIP() << "this machine has no ::1";
  const auto outcome = http_get("::1", server.port(), "/", kGenerous);
  const auto* answer = std::get_if<HttpAnswer>(&outcome);
  ASSERT_NE(answer, nullptr);
  EXPECT_EQ(answer->status, 204);
}

TEST(HttpGet, CutsALongBodyOff) {
  Server server("HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n" + std::string(10'000, 'x'));
  const auto outcome = http_get("127.0.0.1", server.port(), "/", kGenerous);
  const auto* answer = std::get_if<HttpAnswer>(&outcome);
  ASSERT_NE(answer, nullptr);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body.size(), kHttpAnswerBytesMax);
}

TEST(HttpGet, SaysThatNobodyListens) {
  const int held = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);  // Bound and not listening.
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(held, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::getsockname(held, reinterpret_cast<sockaddr*>(&address), &size), 0);
  EXPECT_EQ(failure_of(http_get("127.0.0.1", ntohs(address.sin_port), "/", kGenerous)),
            HttpFailure::kRefused);
  ::close(held);
}

TEST(HttpGet, DoesNotWaitForEver) {
  Server server(std::nullopt);
  EXPECT_EQ(failure_of(http_get("127.0.0.1", server.port(), "/", std::chrono::milliseconds(50))),
            HttpFailure::kTimedOut);
}

TEST(HttpGet, DoesNotReadForEver) {
  Server server("H");
  server.repeat();
  EXPECT_EQ(failure_of(http_get("127.0.0.1", server.port(), "/", std::chrono::milliseconds(50))),
            HttpFailure::kTimedOut);
}

TEST(HttpGet, SaysThatTheAnswerIsNotHttp) {
  for (const char* answer : {"", "SSH-2.0-x\r\n", "HTTP/1.1 200"}) {
    Server server(answer);
    EXPECT_EQ(failure_of(http_get("127.0.0.1", server.port(), "/", kGenerous)), HttpFailure::kNotHttp)
        << answer;
  }
}

}  // namespace
}  // namespace weir
