#include "broker/log/memory_budget.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/unit/log/log_fixture.h"

namespace weir {
namespace {

class MemoryBudgetTest : public LogTest {
 protected:
  static constexpr std::size_t kData = 1'000;

  std::shared_ptr<ChannelLog> make_log() { return std::make_shared<ChannelLog>(no_limits()); }
  void fill(MemoryBudget& budget, const std::shared_ptr<ChannelLog>& log) {
    ++sequence_;
    auto frame =
        Frame::of_message(message_of(std::string(kData, 'x')), "news", "gepoch000.1", budget.counter());
    if (log->append(std::move(frame), sequence_, now_)) budget.track(log);
    budget.enforce();
  }
  static std::size_t bytes_of_one() {
    const auto counter = std::make_shared<FrameBytes>();
    const auto frame = Frame::of_message(message_of(std::string(kData, 'x')), "news", "gepoch000.1", counter);
    return counter->total();
  }
};

TEST_F(MemoryBudgetTest, ForgetsTheOldestFrameOfAllChannelsFirst) {
  MemoryBudget budget(3 * bytes_of_one());
  const auto a = make_log();
  const auto b = make_log();
  fill(budget, a);
  fill(budget, b);
  fill(budget, a);
  EXPECT_EQ(budget.total(), 3 * bytes_of_one());
  fill(budget, b);
  EXPECT_EQ(a->counts().messages, 1U) << "the oldest was a's";
  EXPECT_EQ(b->counts().messages, 2U);
  fill(budget, b);
  EXPECT_EQ(a->counts().messages, 1U);
  EXPECT_EQ(b->counts().messages, 2U);
  EXPECT_EQ(budget.total(), 3 * bytes_of_one());
}

TEST_F(MemoryBudgetTest, NeverHoldsMoreThanItsLimitOverManyChannels) {
  MemoryBudget budget(50 * bytes_of_one());
  std::vector<std::shared_ptr<ChannelLog>> logs;
  for (int i = 0; i < 200; ++i) logs.push_back(make_log());
  for (int round = 0; round < 5; ++round) {
    for (const auto& log : logs) {
      fill(budget, log);
      ASSERT_LE(budget.total(), budget.limit());
    }
  }
  std::size_t messages = 0;
  for (const auto& log : logs) messages += log->counts().messages;
  EXPECT_EQ(messages, 50U);
}

TEST_F(MemoryBudgetTest, LogsThatAreGoneAreForgotten) {
  MemoryBudget budget(2 * bytes_of_one());
  for (int i = 0; i < 5'000; ++i) fill(budget, make_log());
  EXPECT_EQ(budget.total(), 0U);
  const auto log = make_log();
  for (int i = 0; i < 5; ++i) fill(budget, log);
  EXPECT_EQ(log->counts().messages, 2U);
}

TEST_F(MemoryBudgetTest, AFrameThatAClientIsSendingStaysAlive) {
  MemoryBudget budget(bytes_of_one());
  const auto log = make_log();
  fill(budget, log);
  std::vector<LogEntry> entries;
  log->read({}, kNoHorizon, kNoLimit, entries);
  fill(budget, log);
  EXPECT_EQ(data_of(*entries[0].frame), std::string(kData, 'x'));
  EXPECT_EQ(log->counts().messages, 0U) << "nothing but the held frame fits";
  EXPECT_EQ(budget.total(), bytes_of_one());
}

TEST_F(MemoryBudgetTest, WhatPolicyLatestKeepsBesideTheHistoryCountsAndGoesToo) {
  MemoryBudget budget(50 * bytes_of_one());
  auto limits = history_of(0);
  limits.keeps_latest = true;
  std::vector<std::shared_ptr<ChannelLog>> logs;
  for (int i = 0; i < 20; ++i) logs.push_back(std::make_shared<ChannelLog>(limits));
  const Cursor start;
  for (int type = 0; type < 10; ++type) {
    for (const auto& log : logs) {
      ++sequence_;
      const Message message = message_of(std::string(kData, 'x'), std::to_string(type));
      auto frame = Frame::of_message(message, "news", "gepoch000.1", budget.counter());
      if (log->append(std::move(frame), sequence_, now_)) budget.track(log);
      budget.enforce();
      ASSERT_LE(budget.total(), budget.limit());
    }
  }
  // Who still needed some of it is not given the rest as if it were all.
  EXPECT_TRUE(logs[0]->was_evicted(start));
  EXPECT_EQ(logs[0]->skip(start, true, kNoHorizon).missed, 10U);
}

TEST_F(MemoryBudgetTest, WhatClientsHoldTakesAPartOfTheLogsMemoryAtMost) {
  MemoryBudget budget(20 * bytes_of_one(), 5 * bytes_of_one());
  const auto log = make_log();
  std::vector<LogEntry> held;
  for (int i = 0; i < 50; ++i) {
    fill(budget, log);
    log->read(log->at(sequence_ - 1), kNoHorizon, kNoLimit, held);
  }
  EXPECT_EQ(log->counts().messages, 15U);
  held.clear();
  for (int i = 0; i < 10; ++i) fill(budget, log);
  EXPECT_EQ(log->counts().messages, 20U);
}

TEST_F(MemoryBudgetTest, WhatIsUnreadGoesOnlyWhenItAloneIsPastTheLimitAndNeverTheNewest) {
  MemoryBudget budget(4 * bytes_of_one());
  const auto log = make_log();
  const auto append = [&] {
    ++sequence_;
    auto frame =
        Frame::of_message(message_of(std::string(kData, 'x')), "news", "gepoch000.1", budget.counter());
    if (log->append(std::move(frame), sequence_, now_)) budget.track(log);
  };
  append();
  std::vector<LogEntry> held;
  log->read({}, kNoHorizon, kNoLimit, held);
  log->evict_front();
  for (int i = 0; i < 4; ++i) append();
  const Sequence unread = sequence_ - 3;
  budget.enforce(unread, sequence_);
  EXPECT_EQ(log->counts().messages, 4U) << "what is held takes nothing from it";
  append();
  budget.enforce(unread, sequence_);
  EXPECT_EQ(log->counts().messages, 4U);
  budget.enforce(sequence_, sequence_);
  EXPECT_EQ(log->counts().messages, 3U) << "what was read makes room";

  MemoryBudget small(1);
  const auto other = make_log();
  ++sequence_;
  other->append(Frame::of_message(message_of("x"), "news", "gepoch000.1", small.counter()), sequence_, now_);
  small.track(other);
  small.enforce(sequence_, sequence_);
  EXPECT_EQ(other->counts().messages, 1U) << "the newest message is larger than the limit";
}

TEST_F(MemoryBudgetTest, FormsThatAreMadeLaterAreEnforcedToo) {
  MemoryBudget budget(20 * bytes_of_one());
  const auto log = make_log();
  for (int i = 0; i < 20; ++i) fill(budget, log);
  std::vector<LogEntry> entries;
  log->read({}, kNoHorizon, kNoLimit, entries);
  for (const LogEntry& entry : entries) entry.frame->chunk(Form::kEvents, "news");
  entries.clear();
  ASSERT_GT(budget.total(), budget.limit());
  std::thread housekeeping([&] { budget.enforce(); });
  housekeeping.join();
  EXPECT_LE(budget.total(), budget.limit());
}

}  // namespace
}  // namespace weir
