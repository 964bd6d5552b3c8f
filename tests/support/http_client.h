// A client of HTTP by hand, for tests that say each byte.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cctype>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "tests/support/deadline.h"

namespace weir {

struct Response {
  int status = 0;  // 0: the connection ended before a head was whole.
  std::string head;
  std::map<std::string, std::string> headers;  // Names in lower case. A name that comes twice fails the test.
  std::string body;                            // Of Content-Length bytes.

  bool has(const std::string& name) const { return headers.count(name) == 1; }
  std::string header(const std::string& name) const { return has(name) ? headers.at(name) : "(none)"; }
};

// A blocking socket. Reading waits for kDeadline at most.
class HttpClient {
 public:
  explicit HttpClient(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
    EXPECT_TRUE(is_connected_);
  }
  HttpClient(HttpClient&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), held_(std::move(other.held_)) {}
  HttpClient& operator=(HttpClient&&) = delete;
  ~HttpClient() { close(); }

  HttpClient& send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) break;  // The peer may have refused and closed; what it answered tells.
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return *this;
  }
  void half_close() { ::shutdown(socket_, SHUT_WR); }
  void reset() {
    const linger now{1, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close();
  }
  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

  // `has_body` is false for the answer to a HEAD.
  Response response(bool has_body = true) {
    Response response;
    std::size_t end = 0;
    while ((end = held_.find("\r\n\r\n")) == std::string::npos) {
      if (!read_some()) return response;
    }
    response.head = held_.substr(0, end + 4);
    held_.erase(0, end + 4);
    parse(response);
    if (!has_body || !response.has("content-length")) return response;
    const auto size = static_cast<std::size_t>(std::stoul(response.headers["content-length"]));
    while (held_.size() < size && read_some()) {
    }
    response.body = held_.substr(0, size);
    held_.erase(0, size);
    return response;
  }
  // All that comes until the peer closes.
  std::string rest() {
    while (read_some()) {
    }
    return std::exchange(held_, "");
  }
  bool is_closed_by_peer() { return rest().empty(); }

 private:
  bool read_some() {
    pollfd waiting{socket_, POLLIN, 0};
    const auto timeout = std::chrono::duration_cast<std::chrono::milliseconds>(kDeadline).count();
    if (::poll(&waiting, 1, static_cast<int>(timeout)) != 1) {
      ADD_FAILURE() << "nothing came in time";
      return false;
    }
    char buffer[16'384];
    const ssize_t size = ::recv(socket_, buffer, sizeof(buffer), 0);
    if (size <= 0) return false;
    held_.append(buffer, static_cast<std::size_t>(size));
    return true;
  }

  static void parse(Response& response) {
    EXPECT_EQ(response.head.substr(0, 9), "HTTP/1.1 ");
    response.status = std::stoi(response.head.substr(9, 3));
    std::size_t at = response.head.find("\r\n") + 2;
    while (at + 2 < response.head.size()) {
      const std::size_t end = response.head.find("\r\n", at);
      const std::string line = response.head.substr(at, end - at);
      const std::size_t colon = line.find(": ");
      std::string name = line.substr(0, colon);
      for (char& c : name) c = static_cast<char>(::tolower(c));
      EXPECT_TRUE(response.headers.emplace(name, line.substr(colon + 2)).second) << name << " comes twice";
      at = end + 2;
    }
  }

  int socket_;
  bool is_connected_ = false;
  std::string held_;
};

}  // namespace weir
