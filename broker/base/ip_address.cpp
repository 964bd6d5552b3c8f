#include "broker/base/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace weir {
namespace {

constexpr std::array<std::uint8_t, 12> kIpv4Prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::size_t kIpv4PrefixBits = 96;
constexpr std::size_t kBits = 128;

// `address` with every bit after the first `bits` cleared.
IpAddress keep_bits(IpAddress address, std::size_t bits) {
  for (std::size_t i = 0; i < address.bytes.size(); ++i) {
    const std::size_t kept = std::clamp<std::size_t>(bits, 8 * i, 8 * i + 8) - 8 * i;
    address.bytes[i] = static_cast<std::uint8_t>(address.bytes[i] & (0xff00U >> kept));
  }
  return address;
}

}  // namespace

bool IpAddress::is_ipv4() const { return std::equal(kIpv4Prefix.begin(), kIpv4Prefix.end(), bytes.begin()); }

std::string IpAddress::text() const {
  char buffer[INET6_ADDRSTRLEN];
  const bool is_v4 = is_ipv4();
  return ::inet_ntop(is_v4 ? AF_INET : AF_INET6, bytes.data() + (is_v4 ? kIpv4Prefix.size() : 0), buffer,
                     sizeof(buffer));
}

std::optional<IpAddress> parse_ip_address(std::string_view text) {
  char buffer[INET6_ADDRSTRLEN] = {};
  if (text.size() >= sizeof(buffer) || text.find('\0') != std::string_view::npos) return std::nullopt;
  std::memcpy(buffer, text.data(), text.size());
  IpAddress address;
  if (::inet_pton(AF_INET6, buffer, address.bytes.data()) == 1) return address;
  std::copy(kIpv4Prefix.begin(), kIpv4Prefix.end(), address.bytes.begin());
  if (::inet_pton(AF_INET, buffer, address.bytes.data() + kIpv4Prefix.size()) == 1) return address;
  return std::nullopt;
}

IpAddress client_network(IpAddress address) { return address.is_ipv4() ? address : keep_bits(address, 64); }

bool AddressRange::contains(const IpAddress& address) const {
  return keep_bits(address, prefix_bits_) == first_;
}

Result<AddressRange> parse_address_range(std::string_view text) {
  const Error error{"must be an IP address or a range of them, such as 10.0.0.0/8 or 2001:db8::/32"};
  const auto slash = text.find('/');
  const std::string_view host = text.substr(0, slash);
  const auto first = parse_ip_address(host);
  if (!first) return error;
  // "10.0.0.0/8" counts its bits from after the ::ffff: of the held form.
  const std::size_t bits_before = host.find(':') == std::string_view::npos ? kIpv4PrefixBits : 0;
  std::size_t bits = kBits - bits_before;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const char* const end = digits.data() + digits.size();
    const auto [parsed, failure] = std::from_chars(digits.data(), end, bits);
    if (failure != std::errc() || parsed != end) return error;
    if (bits > kBits - bits_before) {
      return Error{"must have a prefix of at most " + std::to_string(kBits - bits_before) + " bits"};
    }
  }
  const IpAddress kept = keep_bits(*first, bits_before + bits);
  // Either the address or the number of bits must be a mistake.
  if (kept != *first) {
    const std::size_t bits_of_text = bits_before + bits - (kept.is_ipv4() ? kIpv4PrefixBits : 0);
    return Error{"must have no bits beyond its prefix: the range is " + kept.text() + "/" +
                 std::to_string(bits_of_text)};
  }
  return AddressRange(kept, bits_before + bits);
}

}  // namespace weir
