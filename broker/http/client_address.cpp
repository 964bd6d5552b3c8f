#include "broker/http/client_address.h"

#include <algorithm>
#include <optional>

#include "proto/text.h"

namespace weir {
namespace {

// Reads an address in the spellings of proxies: "192.0.2.1", "2001:db8::1", and both with
// a port, "192.0.2.1:80", "[2001:db8::1]:80".
std::optional<IpAddress> parse_entry(std::string_view entry) {
  entry = trim(entry);
  if (entry.empty()) return std::nullopt;
  const auto is_port = [](std::string_view text) {
    return text.empty() ||
           (text.size() > 1 && text.front() == ':' &&
            std::all_of(text.begin() + 1, text.end(), [](char c) { return c >= '0' && c <= '9'; }));
  };
  if (entry.front() == '[') {
    const auto end = entry.find(']');
    if (end == std::string_view::npos || !is_port(entry.substr(end + 1))) return std::nullopt;
    const std::string_view inside = entry.substr(1, end - 1);
    return inside.find(':') == std::string_view::npos ? std::nullopt : parse_ip_address(inside);
  }
  const auto colon = entry.find(':');
  if (colon == std::string_view::npos || entry.find(':', colon + 1) != std::string_view::npos) {
    return parse_ip_address(entry);
  }
  return is_port(entry.substr(colon)) ? parse_ip_address(entry.substr(0, colon)) : std::nullopt;
}

bool is_trusted(const IpAddress& address, const std::vector<AddressRange>& trusted) {
  const auto contains = [&](const AddressRange& range) { return range.contains(address); };
  return std::any_of(trusted.begin(), trusted.end(), contains);
}

}  // namespace

IpAddress client_address(const IpAddress& peer, std::string_view forwarded_for,
                         const std::vector<AddressRange>& trusted) {
  IpAddress address = peer;
  while (!forwarded_for.empty() && is_trusted(address, trusted)) {
    const auto comma = forwarded_for.rfind(',');
    const std::string_view entry =
        comma == std::string_view::npos ? forwarded_for : forwarded_for.substr(comma + 1);
    forwarded_for = forwarded_for.substr(0, comma == std::string_view::npos ? 0 : comma);
    const auto parsed = parse_entry(entry);
    if (!parsed) break;
    address = *parsed;
  }
  return address;
}

IpAddress peer_network(const IpAddress& peer, const std::vector<AddressRange>& trusted) {
  return is_trusted(peer, trusted) ? IpAddress() : client_network(peer);
}

}  // namespace weir
