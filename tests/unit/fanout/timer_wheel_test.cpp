#include "broker/fanout/timer_wheel.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <vector>

namespace weir {
namespace {

struct Timer : TimerNode {
  Tick due = 0;
};

TEST(TimerWheel, FiresEachTimerAtItsTick) {
  TimerWheel wheel;
  std::minstd_rand random(3);
  std::vector<std::unique_ptr<Timer>> timers;
  for (int i = 0; i < 500; ++i) {
    timers.push_back(std::make_unique<Timer>());
    timers.back()->due = 1 + random() % (TimerWheel::kSlots - 1);
    wheel.schedule(*timers.back(), timers.back()->due);
  }
  std::size_t fired = 0;
  for (Tick now = 1; now <= TimerWheel::kSlots; ++now) {
    wheel.advance(now, [&](TimerNode& node) {
      EXPECT_EQ(static_cast<Timer&>(node).due, now);
      ++fired;
    });
  }
  EXPECT_EQ(fired, timers.size());
}

TEST(TimerWheel, ADeadlineBeyondTheWheelFiresEarlySoThatItCanBeSetAgain) {
  TimerWheel wheel;
  Timer timer;
  wheel.schedule(timer, 10 * TimerWheel::kSlots);
  Tick fired_at = 0;
  wheel.advance(2 * TimerWheel::kSlots, [&](TimerNode&) { fired_at = wheel.now(); });
  EXPECT_GT(fired_at, 0U);
  EXPECT_LT(fired_at, TimerWheel::kSlots);
}

TEST(TimerWheel, ACancelledTimerDoesNotFire) {
  TimerWheel wheel;
  Timer timer;
  wheel.schedule(timer, 5);
  TimerWheel::cancel(timer);
  TimerWheel::cancel(timer);
  wheel.advance(10, [](TimerNode&) { FAIL(); });
  EXPECT_FALSE(timer.is_linked());
}

TEST(TimerWheel, ATimerMayBeSetAgainWhileItFires) {
  TimerWheel wheel;
  Timer timer;
  wheel.schedule(timer, 1);
  int fired = 0;
  wheel.advance(100, [&](TimerNode& node) {
    ++fired;
    wheel.schedule(node, wheel.now() + 10);
  });
  EXPECT_EQ(fired, 10);
  TimerWheel::cancel(timer);
}

}  // namespace
}  // namespace weir
