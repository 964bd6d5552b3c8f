// An IP address, and a range of them such as 10.0.0.0/8. Values; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/result.h"

namespace weir {

// Held as IPv6. An IPv4 address is ::ffff:a.b.c.d, in whichever of the two ways it was written, so that one
// host is one address. "::", what it is by default, stands for an address that is not known.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};

  bool is_ipv4() const;
  std::string text() const;  // "192.0.2.1", "2001:db8::1"
  friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

// "192.0.2.1" or "2001:db8::1": without brackets, port and zone.
std::optional<IpAddress> parse_ip_address(std::string_view text);

// What a limit for each client is counted by: an IPv4 address as it is, of an IPv6 one the /64, since a
// client has the whole of it and could come from another address each time.
IpAddress client_network(IpAddress address);

class AddressRange {
 public:
  AddressRange(IpAddress first, std::size_t prefix_bits) : first_(first), prefix_bits_(prefix_bits) {}
  bool contains(const IpAddress& address) const;

 private:
  IpAddress first_;
  std::size_t prefix_bits_;  // Of 128.
};

// "10.0.0.0/8", "2001:db8::/32", or one address. The error says what it must be.
Result<AddressRange> parse_address_range(std::string_view text);

}  // namespace weir
