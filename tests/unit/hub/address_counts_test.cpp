#include "broker/hub/address_counts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <thread>
#include <vector>

namespace weir {
namespace {

TEST(AddressCounts, GivesEachAddressAsManyPlacesAsItMayHave) {
  AddressCounts counts;
  const IpAddress a = *parse_ip_address("192.0.2.1");
  const IpAddress b = *parse_ip_address("2001:db8::");
  auto* const first = counts.take(a, 2);
  ASSERT_NE(first, nullptr);
  ASSERT_NE(counts.take(a, 2), nullptr);
  EXPECT_EQ(counts.take(a, 2), nullptr);
  EXPECT_NE(counts.take(b, 2), nullptr) << "Others are not concerned.";
  counts.give_back(first);
  EXPECT_NE(counts.take(a, 2), nullptr);
  EXPECT_EQ(counts.take(a, 2), nullptr);
}

TEST(AddressCounts, ForgetsAnAddressWithItsLastPlace) {
  AddressCounts counts;
  std::vector<AddressCounts::Entry*> taken;
  IpAddress address = *parse_ip_address("192.0.2.1");
  for (int i = 0; i < 200; ++i) {
    address.bytes[15] = static_cast<std::uint8_t>(i % 100);
    taken.push_back(counts.take(address, 2));
    ASSERT_NE(taken.back(), nullptr);
    EXPECT_EQ(counts.take(address, i < 100 ? 1 : 2), nullptr);
  }
  EXPECT_EQ(counts.addresses(), 100U);
  for (auto* const entry : taken) counts.give_back(entry);
  EXPECT_EQ(counts.addresses(), 0U);
}

TEST(AddressCounts, AddsUpWhenManyThreadsComeAndGo) {
  AddressCounts counts;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&counts] {
      IpAddress address;
      for (int n = 0; n < 10'000; ++n) {
        address.bytes[0] = static_cast<std::uint8_t>(n % 7);
        if (auto* const entry = counts.take(address, 2)) counts.give_back(entry);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counts.addresses(), 0U);
}

// The sixteen bytes went through the steps of splitmix64 once, under a number that event ids show: to any
// first half there is a second one that gives the same.
TEST(AddressCounts, SpreadsAddressesThatWereChosenForOneBucket) {
  constexpr std::uint64_t kShown = 42;
  const auto mixed = [](std::uint64_t state, std::uint64_t part) {
    state = (state ^ part) * 0xbf58476d1ce4e5b9;
    state = (state ^ (state >> 27)) * 0x94d049bb133111eb;
    return state ^ (state >> 31);
  };
  constexpr std::uint64_t kCount = 4'096;
  AddressCounts::Map map;
  for (std::uint64_t first = 0; first < kCount; ++first) {
    const std::uint64_t second = mixed(kShown, first);
    IpAddress address;
    std::memcpy(address.bytes.data(), &first, sizeof(first));
    std::memcpy(address.bytes.data() + sizeof(first), &second, sizeof(second));
    map.emplace(address, 1);
  }
  ASSERT_EQ(map.size(), kCount);
  std::size_t fullest = 0;
  for (std::size_t i = 0; i < map.bucket_count(); ++i) fullest = std::max(fullest, map.bucket_size(i));
  EXPECT_LE(fullest, 16U);
}

}  // namespace
}  // namespace weir
