#include "process/stop.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

namespace weir {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

TEST(WaitUntil, ReturnsTrueWhenTheTimeHasCome) {
  EXPECT_TRUE(wait_until(Clock::now() - hours(1), {}));
  EXPECT_TRUE(wait_until(Clock::now() + milliseconds(1), {}));
}

TEST(WaitUntil, ReturnsFalseAtAStop) {
  std::stop_source source;
  const std::jthread other([&] { source.request_stop(); });
  EXPECT_FALSE(wait_until(Clock::now() + hours(1), source.get_token()));
}

TEST(Grace, RequestsAStopAfterItsTime) {
  const Grace grace(milliseconds(1));
  EXPECT_FALSE(wait_until(Clock::now() + hours(1), grace.token()));
}

TEST(SignalStop, TurnsASignalIntoAStop) {
  const SignalStop signals;
  ::kill(::getpid(), SIGTERM);
  EXPECT_FALSE(wait_until(Clock::now() + hours(1), signals.token()));
  EXPECT_EQ(signals.signal(), SIGTERM);
}

TEST(SignalStop, TakesAHangupForAStopAndMoreOfThemForTheSame) {
  ::signal(SIGHUP, SIG_DFL);  // Whoever runs the tests may have it ignored.
  const SignalStop signals;
  ::kill(::getpid(), SIGHUP);
  EXPECT_FALSE(wait_until(Clock::now() + hours(1), signals.token()));
  EXPECT_EQ(signals.signal(), SIGHUP);
  ::kill(::getpid(), SIGHUP);
}

TEST(SignalStop, LeavesAHangupIgnoredThatWasIgnored) {
  ::signal(SIGHUP, SIG_IGN);
  {
    const SignalStop signals;
    ::kill(::getpid(), SIGHUP);
    ::kill(::getpid(), SIGTERM);
    EXPECT_FALSE(wait_until(Clock::now() + hours(1), signals.token()));
    EXPECT_EQ(signals.signal(), SIGTERM);
  }
  ::signal(SIGHUP, SIG_DFL);
}

TEST(SignalStop, EndsWithoutASignal) {
  const SignalStop signals;
  EXPECT_FALSE(signals.token().stop_requested());
  EXPECT_EQ(signals.signal(), 0);
}

}  // namespace
}  // namespace weir
