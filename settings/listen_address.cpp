#include "settings/listen_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <charconv>
#include <system_error>
#include <utility>

namespace weir {

bool ListenAddress::is_loopback() const {
  in_addr v4{};
  in6_addr v6{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  if (inet_pton(AF_INET6, host.c_str(), &v6) != 1) return host == "localhost";
  return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

Result<ListenAddress> parse_listen_address(const std::string& text) {
  const Error error{"\"" + text + "\" is no address:port"};
  const auto colon = text.rfind(':');
  // A TOML string may hold a NUL, at which inet_pton() would stop reading.
  if (colon == std::string::npos || text.find('\0') != std::string::npos) return error;
  const auto port = parse_port(std::string_view(text).substr(colon + 1));
  if (!port) return error;
  std::string host = text.substr(0, colon);
  in_addr v4{};
  in6_addr v6{};
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (inet_pton(AF_INET6, host.c_str(), &v6) != 1) return error;
    // With IPv4 too, whatever net.ipv6.bindv6only says.
    if (IN6_IS_ADDR_UNSPECIFIED(&v6)) host.clear();
  } else if (host == "localhost") {
    // Certainly loopback, whatever /etc/hosts says.
    host = "127.0.0.1";
  } else if (!host.empty() && inet_pton(AF_INET, host.c_str(), &v4) != 1) {
    return error;
  }
  return ListenAddress{std::move(host), *port};
}

std::string check_listen(const std::string& text) {
  const auto address = parse_listen_address(text);
  return address ? std::string()
                 : "must be address:port, such as 127.0.0.1:8080, [::1]:8080 or :8080 (all addresses)";
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

}  // namespace weir
