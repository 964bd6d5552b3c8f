#include "broker/healthcheck.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "broker/config.h"

namespace weir {
namespace {

// Of each step. Less than what Docker and Kubernetes are told to wait for the whole check.
constexpr timeval kPatience{.tv_sec = 2, .tv_usec = 0};
constexpr std::size_t kAnswerBytesMax = 4 << 10;

// What the gateway listens on as an address that can be connected to.
struct Target {
  sockaddr_storage address{};
  socklen_t length = 0;
};

Target target_of(const ListenAddress& listen) {
  Target target;
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&target.address);
  if (inet_pton(AF_INET6, listen.host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(listen.port);
    if (IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr)) v6->sin6_addr = in6addr_loopback;
    target.length = sizeof(sockaddr_in6);
    return target;
  }
  target.address = {};
  auto* v4 = reinterpret_cast<sockaddr_in*>(&target.address);
  v4->sin_family = AF_INET;
  v4->sin_port = htons(listen.port);
  if (inet_pton(AF_INET, listen.host.c_str(), &v4->sin_addr) != 1 || v4->sin_addr.s_addr == INADDR_ANY) {
    v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  }
  target.length = sizeof(sockaddr_in);
  return target;
}

class Socket {
 public:
  explicit Socket(int family) : descriptor_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
    ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof(kPatience));
  }
  ~Socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  bool connect(const Target& target) const {
    return ::connect(descriptor_, reinterpret_cast<const sockaddr*>(&target.address), target.length) == 0;
  }
  bool send(std::string_view text) const {
    return ::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }
  // Up to the end of the connection, an error (errno) or `bytes_max`.
  std::string receive(std::size_t bytes_max) const {
    std::string text(bytes_max, '\0');
    std::size_t size = 0;
    errno = 0;
    while (size < bytes_max) {
      const ssize_t n = ::recv(descriptor_, text.data() + size, bytes_max - size, 0);
      if (n <= 0) break;
      size += static_cast<std::size_t>(n);
    }
    text.resize(size);
    return text;
  }

 private:
  const int descriptor_;
};

// EAGAIN is how a socket says that its time is over.
std::string reason_of(int error) {
  if (error == 0) return "closed without an answer";
  return error == EAGAIN || error == EINPROGRESS ? "no answer in time" : std::strerror(error);
}

// "503 Service Unavailable: {…}" of a whole response.
std::string line_of(std::string_view answer) {
  std::string line(answer.substr(0, answer.find("\r\n")).substr(std::string_view("HTTP/1.1 ").size()));
  const auto head_end = answer.find("\r\n\r\n");
  if (head_end == std::string_view::npos) return line;
  const std::string_view body = answer.substr(head_end + 4);
  return line + ": " + std::string(body.substr(0, body.find('\n')));
}

}  // namespace

std::optional<std::string> why_not_ready(const std::string& admin_listen) {
  const std::string who = "the gateway's admin-listen at " + admin_listen + ": ";
  const auto listen = parse_listen_address(admin_listen);
  if (!listen) return listen.error().message;
  if (listen->port == 0) return who + "port 0 is another one at each start and can't be asked";
  const Target target = target_of(*listen);
  const Socket socket(target.address.ss_family);
  // Loopback takes requests for loopback's names only.
  constexpr std::string_view kRequest =
      "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  if (!socket.connect(target) || !socket.send(kRequest)) return who + reason_of(errno);
  const std::string answer = socket.receive(kAnswerBytesMax);
  if (answer.starts_with("HTTP/1.1 200 ")) return std::nullopt;
  if (answer.starts_with("HTTP/1.1 ")) return who + line_of(answer);
  return who + (answer.empty() ? reason_of(errno) : "it is not a gateway that answers");
}

}  // namespace weir
