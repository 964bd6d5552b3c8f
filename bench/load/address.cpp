#include "bench/load/address.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <system_error>

namespace weir::bench {

Result<Address> parse_address(const std::string& text) {
  const Error wrong{"must be http://127.x.x.x:port/path or redis://127.x.x.x:port"};
  const std::size_t scheme = text.find("://");
  if (scheme == std::string::npos) return wrong;
  const std::size_t host = scheme + 3;
  const std::size_t path = std::min(text.find('/', host), text.size());
  const std::size_t colon = text.find(':', host);
  if (colon >= path) return wrong;

  Address address;
  address.scheme = text.substr(0, scheme);
  address.host = text.substr(host, path - host);
  address.path = text.substr(path);
  std::uint16_t port = 0;
  const char* const end = text.data() + path;
  const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, port);
  const std::string ip = text.substr(host, colon - host);
  if ((address.scheme != "http" && address.scheme != "redis") || error != std::errc{} || rest != end ||
      ip.rfind("127.", 0) != 0 || inet_pton(AF_INET, ip.c_str(), &address.socket.sin_addr) != 1 ||
      address.path.find_first_of(" \t\r\n") != std::string::npos) {
    return wrong;
  }
  address.socket.sin_family = AF_INET;
  address.socket.sin_port = htons(port);
  return address;
}

std::string path_of(const Address& address, const std::string& channel) {
  constexpr std::string_view kPlace = "{channel}";
  std::string path = address.path;
  const std::size_t at = path.find(kPlace);
  if (at != std::string::npos) path.replace(at, kPlace.size(), channel);
  return path;
}

int connect_to(const Address& address, unsigned source, int receive_buffer) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const int one = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  // An acknowledgement for each message, sent at once, would be a third of what a client costs here.
  const int off = 0;
  ::setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof off);
  if (receive_buffer > 0) ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  // The port is chosen at connect, when the other end is known too.
  ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  sockaddr_in from{};
  from.sin_family = AF_INET;
  from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + source);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&from), sizeof from) == 0 &&
      (::connect(fd, reinterpret_cast<const sockaddr*>(&address.socket), sizeof address.socket) == 0 ||
       errno == EINPROGRESS)) {
    return fd;
  }
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

}  // namespace weir::bench
