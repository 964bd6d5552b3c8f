#include "broker/http/client_address.h"

#include <gtest/gtest.h>

#include <string>

namespace weir {
namespace {

// Of a request whose connection comes from `peer`, where 10.0.0.0/8 and 2001:db8:1::/48 are trusted.
std::string address_of(const char* peer, std::string_view forwarded_for) {
  const std::vector<AddressRange> trusted = {*parse_address_range("10.0.0.0/8"),
                                             *parse_address_range("2001:db8:1::/48")};
  return client_address(*parse_ip_address(peer), forwarded_for, trusted).text();
}

TEST(ClientAddress, IsThePeerWhereThatIsNoTrustedProxy) {
  EXPECT_EQ(address_of("192.0.2.1", ""), "192.0.2.1");
  EXPECT_EQ(address_of("192.0.2.1", "203.0.113.9"), "192.0.2.1");
  EXPECT_EQ(address_of("192.0.2.1", "203.0.113.9, 10.0.0.1"), "192.0.2.1");
  EXPECT_EQ(client_address(*parse_ip_address("10.0.0.1"), "203.0.113.9", {}).text(), "10.0.0.1");
}

TEST(ClientAddress, IsWhatATrustedProxyAppended) {
  EXPECT_EQ(address_of("10.0.0.1", "203.0.113.9"), "203.0.113.9");
  EXPECT_EQ(address_of("2001:db8:1::1", "2001:db8:2::9"), "2001:db8:2::9");
  EXPECT_EQ(address_of("::ffff:10.0.0.1", "::ffff:203.0.113.9"), "203.0.113.9");
}

TEST(ClientAddress, IsNotWhatTheClientMadeUp) {
  EXPECT_EQ(address_of("10.0.0.1", "198.51.100.7, 203.0.113.9"), "203.0.113.9");
  EXPECT_EQ(address_of("10.0.0.1", "10.0.0.7, 198.51.100.7, 203.0.113.9, 10.0.0.2"), "203.0.113.9");
}

TEST(ClientAddress, IsBehindAllTrustedProxies) {
  EXPECT_EQ(address_of("10.0.0.1", "203.0.113.9, 10.0.0.3,\t10.0.0.2 ,2001:db8:1::5"), "203.0.113.9");
  EXPECT_EQ(address_of("10.0.0.1", "10.0.0.9, 10.0.0.3"), "10.0.0.9");
}

TEST(ClientAddress, MayComeWithAPort) {
  EXPECT_EQ(address_of("10.0.0.1", "203.0.113.9:40000"), "203.0.113.9");
  EXPECT_EQ(address_of("10.0.0.1", "[2001:db8:2::9]:40000"), "2001:db8:2::9");
  EXPECT_EQ(address_of("10.0.0.1", "[2001:db8:2::9]"), "2001:db8:2::9");
}

TEST(ClientAddress, IsTheProxyThatSaysNothingOfUse) {
  for (const char* entry :
       {"", " ", "unknown", "unix:", "_hidden", "localhost", "203.0.113.9:", "203.0.113.9:x", "[203.0.113.9]",
        "[2001:db8:2::9", "[2001:db8:2::9]x", "2001:db8:2::9]", "[]", "fe80::1%eth0",
        "203.0.113.9 203.0.113.9", "\"203.0.113.9\"", "for=203.0.113.9"}) {
    EXPECT_EQ(address_of("10.0.0.1", std::string("198.51.100.7, ") + entry), "10.0.0.1") << entry;
    EXPECT_EQ(address_of("10.0.0.1", std::string("198.51.100.7, ") + entry + ", 10.0.0.2"), "10.0.0.2")
        << entry;
  }
  EXPECT_EQ(address_of("10.0.0.1", ","), "10.0.0.1");
}

TEST(PeerNetwork, IsNobodysWhileATrustedProxyHasNotSaidWhose) {
  const std::vector<AddressRange> trusted = {*parse_address_range("10.0.0.0/8")};
  const IpAddress client = *parse_ip_address("192.0.2.1");
  EXPECT_EQ(peer_network(client, trusted), client_network(client));
  EXPECT_EQ(peer_network(*parse_ip_address("10.0.0.1"), trusted), IpAddress());
}

}  // namespace
}  // namespace weir
