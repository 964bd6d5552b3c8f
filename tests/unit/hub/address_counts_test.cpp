#include "broker/hub/address_counts.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace weir {
namespace {

TEST(AddressCounts, GivesEachAddressAsManyPlacesAsItMayHave) {
  AddressCounts counts(1);
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
  AddressCounts counts(1);
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
  AddressCounts counts(1);
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

}  // namespace
}  // namespace weir
