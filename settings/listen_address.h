// The address that a program listens on, as a setting names it.
//
// Threads: any; pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/result.h"

namespace weir {

// "127.0.0.1:8080", "[::1]:8080", "localhost:8080", ":8080" or "[::]:8080" (all addresses, of IPv4 too).
struct ListenAddress {
  std::string host;  // An IP address without brackets; empty for all addresses.
  std::uint16_t port = 0;
  bool is_loopback() const;
};
Result<ListenAddress> parse_listen_address(const std::string& text);
// The check of a setting: what must be given, or nothing.
std::string check_listen(const std::string& text);

// 0 to 65535, in decimal digits.
std::optional<std::uint16_t> parse_port(std::string_view text);

}  // namespace weir
