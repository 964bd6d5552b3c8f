#include "settings/listen_address.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(ListenAddress, IsAnAddressAndAPort) {
  const auto v4 = parse_listen_address("127.0.0.1:8080");
  ASSERT_TRUE(v4);
  EXPECT_EQ(v4->host, "127.0.0.1");
  EXPECT_EQ(v4->port, 8080);
  const auto v6 = parse_listen_address("[2001:db8::1]:65535");
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->host, "2001:db8::1");
  EXPECT_EQ(v6->port, 65'535);
}

TEST(ListenAddress, WithoutAHostIsEveryAddress) {
  const auto all = parse_listen_address(":0");
  ASSERT_TRUE(all);
  EXPECT_EQ(all->host, "");
  EXPECT_EQ(all->port, 0);
  EXPECT_FALSE(all->is_loopback());
}

TEST(ListenAddress, KnowsLoopback) {
  for (const char* text : {"127.0.0.1:1", "127.255.0.9:1", "[::1]:1", "[0:0:0:0:0:0:0:1]:1",
                           "[::ffff:127.0.0.1]:1", "localhost:1"}) {
    EXPECT_TRUE(parse_listen_address(text)->is_loopback()) << text;
  }
  for (const char* text : {"0.0.0.0:1", "128.0.0.1:1", "[::]:1", "[::2]:1", "[::ffff:10.0.0.1]:1", ":1"}) {
    EXPECT_FALSE(parse_listen_address(text)->is_loopback()) << text;
  }
}

TEST(ListenAddress, RefusesAnythingElse) {
  for (const char* text : {"", ":", "1", "a:1", "127.0.0.1", "127.0.0.1:", "127.0.0.1:a", "127.0.0.1:1a",
                           "127.0.0.1:+1", "127.0.0.1: 1", "127.0.0.1:65536", "127.0.0:1", "::1:1", "[::1]",
                           "[::1:1", "[]:1", "[1.2.3.4]:1", "http://127.0.0.1:1", "127.0.0.1:1/"}) {
    EXPECT_FALSE(parse_listen_address(text)) << text;
  }
  // Where others stop to read, as a TOML string may have it.
  EXPECT_FALSE(parse_listen_address(std::string("127.0.0.1\0.example.com:1", 24)));
}

TEST(ListenAddress, IsEveryAddressInAnySpellingOfTheUnspecifiedOne) {
  for (const char* text : {":1", "[::]:1", "[0:0::0]:1", "[::0.0.0.0]:1"}) {
    EXPECT_EQ(parse_listen_address(text)->host, "") << text;
  }
  EXPECT_EQ(parse_listen_address("[::1]:1")->host, "::1");
  EXPECT_EQ(parse_listen_address("0.0.0.0:1")->host, "0.0.0.0") << "IPv4 alone.";
}

}  // namespace
}  // namespace weir
