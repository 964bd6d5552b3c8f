#include "broker/hub/connect_rate.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

using std::chrono::milliseconds;

// How many of `tries` at once are let through.
int taken(ConnectRate& rate, ConnectRate::Clock::time_point now, int tries) {
  int count = 0;
  for (int i = 0; i < tries; ++i) count += rate.take(now) ? 1 : 0;
  return count;
}

TEST(ConnectRate, LetsASecondsWorthThroughAtOnceAndThenAsManyASecond) {
  ConnectRate rate(10);
  const auto now = ConnectRate::Clock::now();
  EXPECT_EQ(taken(rate, now, 100), 10);
  EXPECT_EQ(taken(rate, now + milliseconds(99), 100), 0);
  EXPECT_EQ(taken(rate, now + milliseconds(100), 100), 1);
  EXPECT_EQ(taken(rate, now + milliseconds(450), 100), 3);
  EXPECT_EQ(taken(rate, now + milliseconds(500), 100), 1) << "Parts of one are not lost.";
}

TEST(ConnectRate, SavesUpNoMoreThanASecond) {
  ConnectRate rate(3);
  const auto now = ConnectRate::Clock::now();
  EXPECT_EQ(taken(rate, now, 100), 3);
  EXPECT_EQ(taken(rate, now + std::chrono::hours(24), 100), 3);
}

TEST(ConnectRate, OfOneAndOfAMillion) {
  ConnectRate slow(1);
  ConnectRate fast(1'000'000);
  const auto now = ConnectRate::Clock::now();
  EXPECT_EQ(taken(slow, now, 10), 1);
  EXPECT_EQ(taken(slow, now + milliseconds(999), 10), 0);
  EXPECT_EQ(taken(slow, now + milliseconds(1'000), 10), 1);
  EXPECT_EQ(taken(fast, now, 1'000'001), 1'000'000);
}

TEST(ConnectRate, OfNoneIsNoLimit) {
  ConnectRate rate(0);
  EXPECT_EQ(taken(rate, ConnectRate::Clock::now(), 100'000), 100'000);
}

}  // namespace
}  // namespace weir
