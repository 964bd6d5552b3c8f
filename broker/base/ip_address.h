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

// 16 bytes of IPv6. An IPv4 address is held as ::ffff:a.b.c.d, however it was written, so that one host is
// one address. The default, "::", is an unknown address.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};

  bool is_ipv4() const;
  std::string text() const;  // "192.0.2.1", "2001:db8::1"
  friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

// Reads "192.0.2.1" or "2001:db8::1". nullopt for anything else: brackets, a port, a zone.
std::optional<IpAddress> parse_ip_address(std::string_view text);

// The address by which limits per client count: an IPv4 address itself, the /64 of an IPv6 address. A client
// owns its whole /64 and could use another address of it each time.
IpAddress client_network(IpAddress address);

// The addresses that share their first bits with `first`.
class AddressRange {
 public:
  // Requires at most 128 bits.
  AddressRange(IpAddress first, std::size_t prefix_bits) : first_(first), prefix_bits_(prefix_bits) {}
  bool contains(const IpAddress& address) const;

 private:
  IpAddress first_;
  std::size_t prefix_bits_;  // 0 to 128, also for IPv4.
};

// Reads "10.0.0.0/8", "2001:db8::/32" or one address. The error names the accepted form.
Result<AddressRange> parse_address_range(std::string_view text);

}  // namespace weir
