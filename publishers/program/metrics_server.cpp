#include "publishers/program/metrics_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "process/thread.h"
#include "settings/listen_address.h"

namespace weir {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kRequestBytesMax = 8 << 10;
constexpr std::chrono::seconds kTimeMax{2};
constexpr std::chrono::milliseconds kAcceptPause{100};
constexpr int kBacklog = 16;

union Address {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

// An empty host is every address, of both versions.
Address address_of(const ListenAddress& listen) {
  Address address{};
  if (::inet_pton(AF_INET, listen.host.c_str(), &address.v4.sin_addr) == 1) {
    address.v4.sin_family = AF_INET;
    address.v4.sin_port = htons(listen.port);
    return address;
  }
  address.v6.sin6_family = AF_INET6;
  address.v6.sin6_port = htons(listen.port);
  ::inet_pton(AF_INET6, listen.host.c_str(), &address.v6.sin6_addr);
  return address;
}

std::string text_of(const ListenAddress& listen, std::uint16_t port) {
  const bool is_v6 = listen.host.find(':') != std::string::npos;
  return (is_v6 ? "[" + listen.host + "]" : listen.host) + ":" + std::to_string(port);
}

// A socket that listens, or -1 with errno. errno is EAFNOSUPPORT without IPv6.
int listen_at(Address& address) {
  const int fd = ::socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  const int on = 1;
  const int off = 0;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const bool is_v6 = address.any.sa_family == AF_INET6;
  if (is_v6) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  socklen_t size = is_v6 ? sizeof address.v6 : sizeof address.v4;
  if (::bind(fd, &address.any, size) == 0 && ::listen(fd, kBacklog) == 0 &&
      ::getsockname(fd, &address.any, &size) == 0) {
    return fd;
  }
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

std::string response(const char* status, const char* type, const std::string& body) {
  return std::string("HTTP/1.1 ") + status + "\r\nContent-Type: " + type +
         "\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n" + body;
}

}  // namespace

Result<std::unique_ptr<MetricsServer>> MetricsServer::start(const std::string& listen,
                                                            const ProgramMetrics& metrics) {
  const auto parsed = parse_listen_address(listen);
  if (!parsed) return parsed.error();
  Address address = address_of(*parsed);
  int listener = listen_at(address);
  if (listener < 0 && errno == EAFNOSUPPORT && parsed->host.empty()) {
    address = address_of({"0.0.0.0", parsed->port});
    listener = listen_at(address);
  }
  if (listener < 0) return Error{"cannot listen there: " + std::string(std::strerror(errno))};
  const auto port = ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
  return std::unique_ptr<MetricsServer>(new MetricsServer(listener, text_of(*parsed, port), metrics));
}

MetricsServer::MetricsServer(int listener, std::string address, const ProgramMetrics& metrics)
    : listener_(listener),
      stop_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      address_(std::move(address)),
      metrics_(metrics) {
  assert(stop_fd_ >= 0);
  thread_ = start_thread("weir-metrics", [this] { run(); });
}

MetricsServer::~MetricsServer() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(stop_fd_, &one, sizeof one);
  thread_.join();
  ::close(listener_);
  ::close(stop_fd_);
}

void MetricsServer::run() {
  while (await(listener_, POLLIN, Clock::time_point::max())) {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client >= 0) {
      serve(client);
      ::close(client);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      // The client stays in the queue, and the listener readable.
      pollfd stop{.fd = stop_fd_, .events = POLLIN, .revents = 0};
      ::poll(&stop, 1, static_cast<int>(kAcceptPause.count()));
    }
  }
}

void MetricsServer::serve(int client) {
  const auto deadline = Clock::now() + kTimeMax;
  std::string request;
  std::array<char, 1'024> bytes;
  while (request.find("\r\n\r\n") == std::string::npos) {
    if (request.size() > kRequestBytesMax || !await(client, POLLIN, deadline)) return;
    const auto n = ::recv(client, bytes.data(), bytes.size(), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n <= 0) return;
    request.append(bytes.data(), static_cast<std::size_t>(n));
  }
  const std::string answer = answer_to(request);
  for (std::string_view rest = answer; !rest.empty();) {
    if (!await(client, POLLOUT, deadline)) return;
    const auto n = ::send(client, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) return;
    if (n > 0) rest.remove_prefix(static_cast<std::size_t>(n));
  }
}

bool MetricsServer::await(int fd, short events, Clock::time_point deadline) const {
  for (;;) {
    std::array<pollfd, 2> fds{{{stop_fd_, POLLIN, 0}, {fd, events, 0}}};
    int wait_ms = -1;
    if (deadline != Clock::time_point::max()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
      if (left <= 0) return false;
      wait_ms = static_cast<int>(left);
    }
    ::poll(fds.data(), fds.size(), wait_ms);
    if (fds[0].revents != 0) return false;
    if (fds[1].revents != 0) return true;
  }
}

std::string MetricsServer::answer_to(std::string_view request) const {
  const auto is_for = [&](std::string_view path) {
    std::string_view line = request.substr(0, request.find("\r\n"));
    if (!line.starts_with("GET ")) return false;
    line.remove_prefix(4);
    const std::string_view target = line.substr(0, line.find(' '));
    return target.substr(0, target.find('?')) == path;
  };
  if (is_for("/metrics"))
    return response("200 OK", "text/plain; version=0.0.4; charset=utf-8", metrics_.text());
  if (is_for("/healthz")) return response("200 OK", "application/json", "{\"status\":\"ok\"}\n");
  return response("404 Not Found", "text/plain; charset=utf-8", "GET /metrics or /healthz\n");
}

}  // namespace weir
