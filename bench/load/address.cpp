#include "bench/load/address.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <regex>

namespace weir::bench {

Result<Address> parse_address(const std::string& text) {
  static const std::regex kForm(R"((http|redis)://((127\.\d+\.\d+\.\d+):(\d{1,5}))(/[^\s]*)?)");
  std::smatch parts;
  Address address;
  if (!std::regex_match(text, parts, kForm) ||
      inet_pton(AF_INET, parts[3].str().c_str(), &address.socket.sin_addr) != 1 ||
      std::stoul(parts[4]) > 65'535) {
    return Error{"must be http://127.x.x.x:port/path or redis://127.x.x.x:port"};
  }
  address.scheme = parts[1];
  address.socket.sin_family = AF_INET;
  address.socket.sin_port = htons(static_cast<std::uint16_t>(std::stoul(parts[4])));
  address.host = parts[2];
  address.path = parts[5];
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
