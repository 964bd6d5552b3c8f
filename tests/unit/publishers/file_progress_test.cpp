#include "publishers/file/progress_text.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Progress kHalf{.done = 50 << 20, .total = 100 << 20, .bytes_per_second = 4 << 20};

TEST(ProgressText, SaysBytesRateAndTimeLeft) {
  EXPECT_EQ(progress_text(kHalf, 60), "[=====      ]  50 %  50.0 of 100.0 MiB  4.0 MiB/s  13 s left");
}

TEST(ProgressText, LeavesOutWhatDoesNotFit) {
  EXPECT_EQ(progress_text(kHalf, 50), " 50 %  50.0 of 100.0 MiB  4.0 MiB/s  13 s left");
  EXPECT_EQ(progress_text(kHalf, 20), "[======      ]  50 %");
  EXPECT_EQ(progress_text(kHalf, 3), " 50");
  EXPECT_EQ(progress_text(kHalf, 0), "");
}

TEST(ProgressText, IsNeverLongerThanTheTerminal) {
  for (const std::uint64_t total : {0ULL, 1ULL, 1'023ULL, 123'456'789ULL, 1ULL << 40, ~0ULL}) {
    for (const double rate : {0.0, 0.5, 1.0, 1e6, 1e12}) {
      for (std::size_t columns = 0; columns < 200; ++columns) {
        EXPECT_LE(progress_text({total / 3, total, rate}, columns).size(), columns);
      }
    }
  }
}

TEST(ProgressText, SaysNoRateBeforeItIsKnown) {
  EXPECT_EQ(progress_text({.done = 0, .total = 2'048}, 25), "  0 %  0.0 of 2.0 KiB");
}

TEST(ProgressText, OfNothingIsAllOfIt) { EXPECT_EQ(progress_text({}, 20), "100 %  0 of 0 B"); }

TEST(ProgressText, SaysLongTimesInHours) {
  EXPECT_NE(progress_text({0, 3'700, 1}, 100).find("1 h 1 min left"), std::string::npos);
  EXPECT_NE(progress_text({0, 130, 1}, 100).find("2 min 10 s left"), std::string::npos);
}

TEST(RateMeter, IsTheRateOfASteadyStream) {
  RateMeter meter;
  const RateMeter::Clock::time_point start{};
  EXPECT_EQ(meter.add(0, start), 0);
  for (int i = 1; i < 100; ++i) {
    EXPECT_NEAR(meter.add(static_cast<std::uint64_t>(i) * 100, start + milliseconds(100 * i)), 1'000, 1);
  }
}

TEST(RateMeter, FollowsAChangeWithinSeconds) {
  RateMeter meter;
  const RateMeter::Clock::time_point start{};
  meter.add(0, start);
  meter.add(1'000'000, start + seconds(1));
  EXPECT_LT(meter.add(1'000'000, start + seconds(30)), 1'000);
}

TEST(RateMeter, BeginsAgainWithAnotherFile) {
  RateMeter meter;
  const RateMeter::Clock::time_point start{};
  meter.add(0, start);
  meter.add(1'000, start + seconds(1));
  EXPECT_EQ(meter.add(0, start + seconds(2)), 0);
  EXPECT_NEAR(meter.add(10, start + seconds(3)), 10, 1);
}

}  // namespace
}  // namespace weir
