#include "bench/load/address.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::bench {
namespace {

TEST(Address, TakesAServerOfThisMachineApart) {
  const auto address = parse_address("http://127.0.0.2:8080/channels/{channel}?x=1");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->scheme, "http");
  EXPECT_EQ(address->host, "127.0.0.2:8080");
  EXPECT_EQ(ntohs(address->socket.sin_port), 8080);
  EXPECT_EQ(ntohl(address->socket.sin_addr.s_addr), 0x7f000002u);
  EXPECT_EQ(path_of(*address, "a.b"), "/channels/a.b?x=1");
}

TEST(Address, PathWithoutAPlaceForTheChannelStaysAsItIs) {
  EXPECT_EQ(path_of(*parse_address("http://127.0.0.1:1/events"), "a"), "/events");
}

TEST(Address, NothingLeavesThisMachine) {
  for (const std::string text :
       {"http://10.0.0.1:80/", "http://localhost:80/", "redis://192.168.1.1:6379", "http://127.0.0.1/",
        "http://127.0.0.1:65536/", "http://127.0.0.256:80/", "ftp://127.0.0.1:80/", "127.0.0.1:80", ""}) {
    EXPECT_FALSE(parse_address(text)) << text;
  }
}

}  // namespace
}  // namespace weir::bench
