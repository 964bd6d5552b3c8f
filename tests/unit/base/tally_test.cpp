#include "broker/base/tally.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

using std::chrono::microseconds;

std::uint64_t observed(const TimeTally& times) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i <= kBoundsMicros.size(); ++i) sum += times.bucket(i);
  return sum;
}

TEST(TimeTally, ABoundBelongsToItsBucket) {
  TimeTally times;
  times.observe(microseconds(100));
  EXPECT_EQ(times.bucket(0), 1U);
  times.observe(microseconds(101));
  EXPECT_EQ(times.bucket(1), 1U);
  times.observe(std::chrono::seconds(60));
  EXPECT_EQ(times.bucket(kBoundsMicros.size() - 1), 1U);
  EXPECT_EQ(observed(times), 3U);
}

TEST(TimeTally, WhatIsBeyondTheLastBoundIsInOneMoreBucket) {
  TimeTally times;
  times.observe(std::chrono::hours(1));
  EXPECT_EQ(times.bucket(kBoundsMicros.size()), 1U);
  EXPECT_DOUBLE_EQ(times.sum_seconds(), 3600);
}

TEST(TimeTally, ATimeBelowZeroIsNone) {
  TimeTally times;
  times.observe(-std::chrono::seconds(1));
  EXPECT_EQ(times.bucket(0), 1U);
  EXPECT_DOUBLE_EQ(times.sum_seconds(), 0);
}

TEST(TimeTally, NoBucketIsMoreThanThreeTimesTheOneBefore) {
  for (std::size_t i = 1; i < kBoundsMicros.size(); ++i) {
    EXPECT_GT(kBoundsMicros[i], kBoundsMicros[i - 1]);
    EXPECT_LE(kBoundsMicros[i], 3 * kBoundsMicros[i - 1]) << i;
  }
}

}  // namespace
}  // namespace weir
