#include "broker/http/pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <vector>

namespace weir {
namespace {

TEST(Pool, RunsEveryJobOnce) {
  std::atomic<int> runs = 0;
  Pool pool(4, 100'000);
  std::vector<std::thread> submitters;
  for (int i = 0; i < 3; ++i) {
    submitters.emplace_back([&] {
      for (int n = 0; n < 10'000; ++n) EXPECT_TRUE(pool.submit([&] { ++runs; }));
    });
  }
  for (std::thread& submitter : submitters) submitter.join();
  pool.stop();
  EXPECT_EQ(runs, 30'000);
  EXPECT_EQ(pool.jobs(), 0U);
}

TEST(Pool, WakesAThreadForEachJobThatComesAlone) {
  Pool pool(2, 10);
  for (int i = 0; i < 1'000; ++i) {
    std::promise<void> is_run;
    ASSERT_TRUE(pool.submit([&] { is_run.set_value(); }));
    is_run.get_future().wait();
  }
}

TEST(Pool, TakesNoMoreThanItsLimit) {
  Pool pool(1, 2);
  std::promise<void> may_end;
  auto ending = may_end.get_future().share();
  EXPECT_TRUE(pool.submit([ending] { ending.wait(); }));
  EXPECT_TRUE(pool.submit([] {}));
  EXPECT_FALSE(pool.submit([] {}));
  may_end.set_value();
  pool.stop();
  EXPECT_FALSE(pool.submit([] {})) << "It has stopped.";
}

// A second thread comes when the first has more than its share to do.
TEST(Pool, SharesManyJobsAmongItsThreads) {
  Pool pool(2, 1'000);
  std::promise<void> is_busy, may_end, another_ran;
  ASSERT_TRUE(pool.submit([&] {
    is_busy.set_value();
    may_end.get_future().wait();
  }));
  is_busy.get_future().wait();
  std::atomic<bool> is_first = true;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(pool.submit([&] {
      if (is_first.exchange(false)) another_ran.set_value();
    }));
  }
  another_ran.get_future().wait();
  may_end.set_value();
  pool.stop();  // Before what the jobs refer to.
}

}  // namespace
}  // namespace weir
