#include "publishers/delivery/pacer.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

using std::chrono::milliseconds;

class PacerTest : public ::testing::Test {
 protected:
  Pacer::Clock::time_point now_{std::chrono::hours(1)};
};

TEST_F(PacerTest, SpacesBytesByTheRate) {
  Pacer pacer(1'000);
  auto last = now_;
  for (int i = 0; i < 100; ++i) last = pacer.take(100, now_);
  // Of 10,000 bytes the last 100 leave after 9,900, less what the burst allows.
  EXPECT_EQ(last - now_, milliseconds(9'900) - Pacer::kBurst);
}

TEST_F(PacerTest, DoesNotMakeUpForAPause) {
  Pacer pacer(1'000);
  pacer.take(1'000, now_);
  now_ += std::chrono::hours(1);
  EXPECT_EQ(pacer.take(1'000, now_), now_);
  EXPECT_EQ(pacer.take(1'000, now_) - now_, milliseconds(1'000) - Pacer::kBurst);
}

TEST_F(PacerTest, SavesUpItsBurstAndNoMore) {
  Pacer pacer(1'000, 4'000);
  EXPECT_EQ(pacer.take(4'000, now_), now_);
  EXPECT_EQ(pacer.take(500, now_), now_) << "The burst is over, and nothing waits yet.";
  EXPECT_EQ(pacer.take(1, now_) - now_, milliseconds(500));
  now_ += std::chrono::hours(1);
  EXPECT_EQ(pacer.take(4'000, now_), now_);
  EXPECT_EQ(pacer.take(500, now_), now_);
  EXPECT_EQ(pacer.take(1, now_) - now_, milliseconds(500));
}

TEST_F(PacerTest, AHugeMessageAtTheLowestRateOverflowsNothing) {
  Pacer pacer(1, 1ULL << 40);
  pacer.take(1ULL << 60, now_);
  EXPECT_GT(pacer.take(1, now_), now_);
  EXPECT_EQ(Pacer(0, 1ULL << 40).take(1ULL << 40, now_), now_);
}

TEST_F(PacerTest, WithoutARateNeverWaits) {
  Pacer pacer(0);
  EXPECT_EQ(pacer.take(1ULL << 40, now_), now_);
  EXPECT_EQ(pacer.take(1ULL << 40, now_), now_);
}

}  // namespace
}  // namespace weir
