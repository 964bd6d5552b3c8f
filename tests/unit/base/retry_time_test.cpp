#include "broker/base/retry_time.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RetryTime, IsAtMostTwiceItsBaseAndStaysWithinSixtySeconds) {
  for (std::uint32_t jitter = 0; jitter < 65'536; jitter += 1'111) {
    EXPECT_GE(jittered(milliseconds(100), jitter), milliseconds(100));
    EXPECT_LE(jittered(milliseconds(100), jitter), milliseconds(200));
    EXPECT_LE(jittered(seconds(60), jitter), seconds(60));
    EXPECT_LE(jittered(seconds(45), jitter), seconds(60));
  }
}

TEST(RetryTime, AtADrainIsAtMostOneAndAHalfTimesItsBase) {
  for (std::uint32_t jitter = 0; jitter < 65'536; jitter += 1'111) {
    EXPECT_GE(jittered_at_drain(milliseconds(400), seconds(2), jitter), milliseconds(400));
    EXPECT_LE(jittered_at_drain(milliseconds(400), seconds(2), jitter), milliseconds(600));
    EXPECT_EQ(jittered_at_drain(milliseconds(0), seconds(2), jitter), jittered(seconds(2), jitter));
  }
  EXPECT_EQ(jittered_at_drain(milliseconds(400), seconds(2), 0xffff), milliseconds(600));
}

}  // namespace
}  // namespace weir
