#include "broker/http/request_budget.h"

#include <gtest/gtest.h>

#include "broker/http/request_pace.h"

namespace weir {
namespace {

using Excess = RequestBudget::Excess;
using std::chrono::milliseconds;
using std::chrono::seconds;

const IpAddress kOne = *parse_ip_address("192.0.2.1");
const IpAddress kOther = *parse_ip_address("192.0.2.2");

TEST(RequestBudget, SaysWhichLimitIsPassed) {
  RequestBudget budget(100, 50);
  budget.change(kOne, 0, 50);
  EXPECT_EQ(budget.excess(kOne), Excess::kNone);
  budget.change(kOne, 50, 51);
  EXPECT_EQ(budget.excess(kOne), Excess::kOfAddress);
  EXPECT_EQ(budget.excess(kOther), Excess::kNone);
  budget.change(kOther, 0, 50);
  EXPECT_EQ(budget.total(), 101U);
  EXPECT_EQ(budget.excess(kOther), Excess::kOfAll);
  budget.change(kOne, 51, 0);
  EXPECT_EQ(budget.excess(kOne), Excess::kNone);
  EXPECT_EQ(budget.total(), 50U);
}

TEST(RequestBudget, GivesNobodyInParticularNoShare) {
  RequestBudget budget(100, 50);
  budget.change(IpAddress(), 0, 100);
  EXPECT_EQ(budget.excess(IpAddress()), Excess::kNone);
  budget.change(IpAddress(), 100, 101);
  EXPECT_EQ(budget.excess(IpAddress()), Excess::kOfAll);
}

TEST(RequestPace, OfWhoStoppedIsSoonLessThanThatOfWhoGoesOn) {
  RequestPace::Clock::time_point now;
  RequestPace stopped, slow;
  stopped.begin(now);
  slow.begin(now);
  stopped.add(2 << 20);
  for (int i = 0; i < 20; ++i) {
    now += milliseconds(500);
    slow.add(10'000);
    stopped.fade(now);
    slow.fade(now);
  }
  EXPECT_LT(stopped.bytes_per_second(now), slow.bytes_per_second(now));
  EXPECT_NEAR(slow.bytes_per_second(now), 20'000, 1'000);
}

TEST(RequestPace, OfWhoHasJustBegunIsHigh) {
  RequestPace::Clock::time_point now;
  RequestPace old, young;
  old.begin(now);
  now += seconds(1);
  old.add(1 << 20);
  young.begin(now);
  EXPECT_GT(young.bytes_per_second(now), old.bytes_per_second(now));
  now += seconds(1);
  EXPECT_LT(young.bytes_per_second(now), old.bytes_per_second(now)) << "It has sent nothing since.";
}

}  // namespace
}  // namespace weir
