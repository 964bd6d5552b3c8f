#include "process/backoff.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

using std::chrono::milliseconds;

TEST(Backoff, DoublesUpToItsMaximum) {
  Backoff backoff(milliseconds(100), milliseconds(450));
  EXPECT_EQ(backoff.next(0.999999), milliseconds(99));
  EXPECT_EQ(backoff.next(0.999999), milliseconds(199));
  EXPECT_EQ(backoff.next(0.999999), milliseconds(399));
  EXPECT_EQ(backoff.next(0.999999), milliseconds(449));
  EXPECT_EQ(backoff.next(0.999999), milliseconds(449));
}

TEST(Backoff, IsNeverShorterThanHalf) {
  Backoff backoff(milliseconds(100), milliseconds(400));
  EXPECT_EQ(backoff.next(0), milliseconds(50));
  EXPECT_EQ(backoff.next(0), milliseconds(100));
}

TEST(Backoff, BeginsAnewAfterASuccess) {
  Backoff backoff(milliseconds(100), milliseconds(400));
  backoff.next(0);
  backoff.next(0);
  backoff.reset();
  EXPECT_EQ(backoff.next(0), milliseconds(50));
}

}  // namespace
}  // namespace weir
