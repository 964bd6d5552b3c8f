#include "broker/fanout/expiry.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::system_clock;

constexpr system_clock::time_point kNow{seconds(1'795'651'200)};
constexpr Tick kTick = 500;
constexpr seconds kNotice{30};

Expiry expiry(system_clock::time_point expires_at) { return expiry_of(expires_at, kNow, kTick, kNotice); }

TEST(Expiry, IsNoEarlierThanItsTimeAndAtMostATickLater) {
  const Expiry in_a_minute = expiry(kNow + seconds(60));
  EXPECT_EQ(in_a_minute.at, kTick + 601);
  EXPECT_EQ(in_a_minute.notice_at, kTick + 301);
  EXPECT_EQ(in_a_minute.unix_seconds, 1'795'651'260U);
  EXPECT_EQ(expiry(kNow + milliseconds(60'099)).at, kTick + 601);
}

TEST(Expiry, IsToldAtOnceWhereLessThanTheNoticeIsLeft) {
  EXPECT_EQ(expiry(kNow + seconds(30)).notice_at, kTick);
  EXPECT_EQ(expiry(kNow + milliseconds(1)).notice_at, kTick);
  EXPECT_EQ(expiry(kNow + milliseconds(1)).at, kTick + 1);
}

TEST(Expiry, OfThePastIsDueAtOnce) {
  EXPECT_EQ(expiry(kNow).at, kTick);
  EXPECT_EQ(expiry(kNow - seconds(5)).at, kTick);
  EXPECT_EQ(expiry(kNow - seconds(5)).unix_seconds, 1'795'651'195U);
  EXPECT_EQ(expiry(system_clock::time_point::min()).at, kTick);
  EXPECT_EQ(expiry(system_clock::time_point::min()).unix_seconds, 0U);
}

TEST(Expiry, OfAFarFutureIsNever) {
  const auto years = std::chrono::hours(5 * 365 * 24);
  EXPECT_EQ(expiry(kNow + years).at, kNoTick);
  EXPECT_EQ(expiry(system_clock::time_point::max()).at, kNoTick);
  EXPECT_EQ(expiry(system_clock::time_point::max()).notice_at, kNoTick);
  EXPECT_EQ(expiry(kNow + years - seconds(1)).at, kTick + 5 * 365 * 24 * 3600 * 10U - 9);
}

}  // namespace
}  // namespace weir
