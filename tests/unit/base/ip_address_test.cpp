#include "broker/base/ip_address.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(IpAddress, IsReadAndWrittenInBothFamilies) {
  for (const char* text : {"192.0.2.1", "0.0.0.0", "2001:db8::1", "::1", "::"}) {
    const auto address = parse_ip_address(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->text(), text);
  }
  EXPECT_EQ(IpAddress().text(), "::");
}

TEST(IpAddress, OfIPv4IsOneHoweverItIsWritten) {
  EXPECT_EQ(parse_ip_address("::ffff:192.0.2.1"), parse_ip_address("192.0.2.1"));
  EXPECT_EQ(parse_ip_address("::ffff:192.0.2.1")->text(), "192.0.2.1");
  EXPECT_TRUE(parse_ip_address("::ffff:c000:201")->is_ipv4());
  EXPECT_FALSE(parse_ip_address("::192.0.2.1")->is_ipv4());
}

TEST(IpAddress, IsNothingElse) {
  using std::string_literals::operator""s;
  for (const std::string& text : {""s, "localhost"s, "192.0.2"s, "192.0.2.256"s, "192.0.2.01"s, "192.0.2.1 "s,
                                  "192.0.2.1:80"s, "[::1]"s, "fe80::1%eth0"s, "1::2::3"s, "192.0.2.1\0"s,
                                  std::string(1'000, '1'), "unix:"s, "unknown"s}) {
    EXPECT_FALSE(parse_ip_address(text)) << text;
  }
}

TEST(IpAddress, OfAClientCountsByItsNetworkInIPv6) {
  EXPECT_EQ(client_network(*parse_ip_address("192.0.2.1")).text(), "192.0.2.1");
  EXPECT_EQ(client_network(*parse_ip_address("2001:db8:1:2:3:4:5:6")).text(), "2001:db8:1:2::");
}

bool contains(const char* range, const char* address) {
  return parse_address_range(range)->contains(*parse_ip_address(address));
}

TEST(AddressRange, HoldsWhatHasItsPrefix) {
  EXPECT_TRUE(contains("10.0.0.0/8", "10.255.0.1"));
  EXPECT_TRUE(contains("10.0.0.0/8", "::ffff:10.0.0.1"));
  EXPECT_FALSE(contains("10.0.0.0/8", "11.0.0.0"));
  EXPECT_TRUE(contains("192.0.2.128/25", "192.0.2.128"));
  EXPECT_FALSE(contains("192.0.2.128/25", "192.0.2.127"));
  EXPECT_TRUE(contains("192.0.2.1", "192.0.2.1"));
  EXPECT_FALSE(contains("192.0.2.1/32", "192.0.2.2"));
  EXPECT_TRUE(contains("0.0.0.0/0", "203.0.113.9"));
  EXPECT_FALSE(contains("0.0.0.0/0", "2001:db8::1"));
  EXPECT_TRUE(contains("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(contains("2001:db8::/33", "2001:db8:8000::1"));
  EXPECT_TRUE(contains("::1", "::1"));
  EXPECT_FALSE(contains("::1", "::2"));
  EXPECT_TRUE(contains("::ffff:10.0.0.0/104", "10.1.2.3"));
  EXPECT_TRUE(contains("::/0", "10.1.2.3"));
}

TEST(AddressRange, SaysWhatItMustBe) {
  for (const char* text :
       {"", "/8", "10.0.0.0/", "10.0.0.0/x", "10.0.0.0/8x", "10.0.0.0/-1", "10.0.0/8", "proxy.example",
        "10.0.0.0/8,11.0.0.0/8", "10.0.0.0 /8", "[::1]/128", "10.0.0.0/255.0.0.0"}) {
    const auto range = parse_address_range(text);
    ASSERT_FALSE(range) << text;
    EXPECT_TRUE(range.error().message.starts_with("must be an IP address or a range of them")) << text;
  }
  EXPECT_EQ(parse_address_range("10.0.0.0/33").error().message, "must have a prefix of at most 32 bits");
  EXPECT_EQ(parse_address_range("2001:db8::/129").error().message, "must have a prefix of at most 128 bits");
  EXPECT_EQ(parse_address_range("10.1.2.3/8").error().message,
            "must have no bits beyond its prefix: the range is 10.0.0.0/8");
  EXPECT_EQ(parse_address_range("2001:db8::1/32").error().message,
            "must have no bits beyond its prefix: the range is 2001:db8::/32");
  EXPECT_EQ(parse_address_range("::ffff:10.0.0.1/104").error().message,
            "must have no bits beyond its prefix: the range is 10.0.0.0/8");
}

}  // namespace
}  // namespace weir
