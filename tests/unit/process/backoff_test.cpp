#include "process/backoff.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using Jitter = Backoff::Jitter;

constexpr double kAlmostOne = 0.999999999;

TEST(Backoff, DoublesUpToItsMaximum) {
  for (const Jitter jitter : {Jitter::kFull, Jitter::kHalf}) {
    Backoff backoff(milliseconds(100), milliseconds(450), jitter);
    for (const int limit : {100, 200, 400, 450, 450}) {
      const auto wait = backoff.next(kAlmostOne);
      EXPECT_LT(wait, milliseconds(limit));
      EXPECT_GE(wait, milliseconds(limit) - microseconds(1));
    }
  }
}

TEST(Backoff, OfHalfJitterIsNeverShorterThanHalf) {
  Backoff backoff(milliseconds(100), milliseconds(400), Jitter::kHalf);
  EXPECT_EQ(backoff.next(0), milliseconds(50));
  EXPECT_EQ(backoff.next(0.5), milliseconds(150));
}

TEST(Backoff, OfFullJitterMayBeNone) {
  Backoff backoff(milliseconds(100), milliseconds(400), Jitter::kFull);
  EXPECT_EQ(backoff.next(0), milliseconds(0));
  EXPECT_EQ(backoff.next(0.5), milliseconds(100));
  EXPECT_EQ(backoff.next(0.000'01), microseconds(4));
}

TEST(Backoff, BeginsAnewAfterASuccess) {
  Backoff backoff(milliseconds(100), milliseconds(400), Jitter::kHalf);
  backoff.next(0);
  backoff.next(0);
  backoff.reset();
  EXPECT_EQ(backoff.next(0), milliseconds(50));
}

TEST(Backoff, NeverGrowsPastItsMaximumHoweverOften) {
  Backoff backoff(milliseconds(1), std::chrono::hours(1), Jitter::kHalf);
  for (int i = 0; i < 1'000; ++i) EXPECT_LE(backoff.next(kAlmostOne), std::chrono::hours(1));
}

}  // namespace
}  // namespace weir
