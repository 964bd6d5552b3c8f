#include "broker/bus/memory_bus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "tests/unit/bus/bus_observer.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class MemoryBusTest : public ::testing::Test {
 protected:
  void start(const BusLimits& limits = kAmpleLimits, std::vector<std::string> patterns = {}) {
    bus_ = make_memory_bus(limits, observer_);
    for (std::string& pattern : patterns) bus_->record(std::move(pattern));
    bus_->start();
  }
  // Holds the bus thread inside a completion until `release_` is set.
  void block_bus_thread() {
    std::promise<void> blocked;
    bus_->publish("blocker", "", [&, released = release_.get_future().share()](PublishResult) {
      blocked.set_value();
      released.wait();
    });
    blocked.get_future().wait();
  }

  BusObserver observer_;
  std::promise<void> release_;
  std::unique_ptr<Bus> bus_;
};

TEST_F(MemoryBusTest, DeliversWhatIsPublishedToASubscribedChannelInOrder) {
  start();
  bus_->subscribe("news");
  ASSERT_TRUE(observer_.wait_for_subscribed("news"));
  PublishResults results;
  for (int i = 0; i < 1'000; ++i) bus_->publish("news", std::to_string(i), results.collect());
  ASSERT_TRUE(observer_.wait_for_idle_after(1'000));
  const auto payloads = observer_.payloads("news");
  for (int i = 0; i < 1'000; ++i) EXPECT_EQ(payloads[i], std::to_string(i));
  for (const PublishResult& result : results.wait_for(1'000)) {
    EXPECT_EQ(result.outcome, PublishOutcome::kDelivered);
    EXPECT_EQ(result.receivers, 1u);
  }
}

TEST_F(MemoryBusTest, CountsNoReceiverOfAChannelThatNobodyWants) {
  start();
  const PublishResult result = publish_and_wait(*bus_, "news", "x");
  EXPECT_EQ(result.outcome, PublishOutcome::kDelivered);
  EXPECT_EQ(result.receivers, 0u);
  EXPECT_THAT(observer_.messages(), IsEmpty());
}

TEST_F(MemoryBusTest, DeliversNothingAfterUnsubscribe) {
  start();
  bus_->subscribe("news");
  bus_->unsubscribe("news");
  EXPECT_EQ(publish_and_wait(*bus_, "news", "x").receivers, 0u);
  bus_->subscribe("news");
  EXPECT_EQ(publish_and_wait(*bus_, "news", "y").receivers, 1u);
  EXPECT_THAT(observer_.payloads("news"), ElementsAre("y"));
}

TEST_F(MemoryBusTest, RecordsMatchingChannelsOnceEvenIfTheyAreAlsoSubscribed) {
  start(kAmpleLimits, {"log.*", "log.a*"});
  bus_->subscribe("log.a");
  EXPECT_EQ(publish_and_wait(*bus_, "log.a", "x").receivers, 1u);
  EXPECT_EQ(publish_and_wait(*bus_, "news", "y").receivers, 0u);
  EXPECT_THAT(observer_.messages(), ElementsAre(BusObserver::Message{"log.a", "x"}));
  EXPECT_THAT(observer_.lines(), ElementsAre("recording log.*", "recording log.a*"));
  EXPECT_EQ(observer_.times_subscribed("log.a"), 1);
}

TEST_F(MemoryBusTest, RefusesAMessageThatIsTooLarge) {
  BusLimits limits = kAmpleLimits;
  limits.message_bytes_max = 4;
  start(limits, {"*"});
  EXPECT_EQ(publish_and_wait(*bus_, "news", "1234").outcome, PublishOutcome::kDelivered);
  const PublishResult result = publish_and_wait(*bus_, "news", "12345");
  EXPECT_EQ(result.outcome, PublishOutcome::kRefused);
  EXPECT_THAT(result.detail, HasSubstr("4 bytes"));
  EXPECT_THAT(observer_.payloads("news"), ElementsAre("1234"));
}

TEST_F(MemoryBusTest, IsUnavailableWhileTooManyPublishesWait) {
  BusLimits limits = kAmpleLimits;
  limits.publishes_waiting_max = 2;
  start(limits, {"*"});
  block_bus_thread();
  PublishResults results;
  for (int i = 0; i < 3; ++i) bus_->publish("news", std::to_string(i), results.collect());
  EXPECT_EQ(bus_->state().publishes_waiting, 2u);
  release_.set_value();
  const auto all = results.wait_for(3);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[1].outcome, PublishOutcome::kDelivered);
  EXPECT_EQ(all[2].outcome, PublishOutcome::kUnavailable);
  EXPECT_EQ(bus_->state().publishes_waiting, 0u);
  EXPECT_EQ(publish_and_wait(*bus_, "news", "later").outcome, PublishOutcome::kDelivered);
}

TEST_F(MemoryBusTest, IsUnavailableWhileTooManyBytesWait) {
  BusLimits limits = kAmpleLimits;
  limits.publishes_waiting_bytes_max = 10;
  start(limits, {"*"});
  block_bus_thread();
  PublishResults results;
  bus_->publish("news", std::string(6, 'a'), results.collect());
  bus_->publish("news", std::string(6, 'b'), results.collect());
  release_.set_value();
  const auto all = results.wait_for(2);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].outcome, PublishOutcome::kDelivered);
  EXPECT_EQ(all[1].outcome, PublishOutcome::kUnavailable);
}

TEST_F(MemoryBusTest, CompletesEveryPublishWhenItIsStopped) {
  start();
  block_bus_thread();
  PublishResults results;
  for (int i = 0; i < 100; ++i) bus_->publish("news", "x", results.collect());
  std::thread stopper([this] { bus_->stop(); });
  release_.set_value();
  stopper.join();
  bus_->publish("news", "too late", results.collect());
  const auto all = results.wait_for(101);
  ASSERT_EQ(all.size(), 101u);
  EXPECT_EQ(all.back().outcome, PublishOutcome::kUnavailable);
  EXPECT_EQ(bus_->state().publishes_waiting, 0u);
}

TEST_F(MemoryBusTest, TakesPublishesAndSubscriptionsFromManyThreads) {
  start(kAmpleLimits, {"log.*"});
  constexpr int kThreads = 4;
  constexpr int kEach = 500;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t] {
      const std::string channel = "log." + std::to_string(t);
      for (int i = 0; i < kEach; ++i) {
        bus_->subscribe(channel);
        bus_->publish(channel, std::to_string(i), [](PublishResult) {});
        bus_->unsubscribe(channel);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(observer_.wait_for_idle_after(kThreads * kEach));
  for (int t = 0; t < kThreads; ++t) {
    const auto payloads = observer_.payloads("log." + std::to_string(t));
    ASSERT_EQ(payloads.size(), static_cast<std::size_t>(kEach));
    for (int i = 0; i < kEach; ++i) EXPECT_EQ(payloads[i], std::to_string(i));
  }
}

TEST_F(MemoryBusTest, CountsSubscriptionsInItsState) {
  start(kAmpleLimits, {"log.*"});
  bus_->subscribe("a");
  bus_->subscribe("b");
  bus_->unsubscribe("a");
  ASSERT_EQ(publish_and_wait(*bus_, "b", "x").receivers, 1u);
  const BusState state = bus_->state();
  EXPECT_TRUE(state.is_connected);
  EXPECT_TRUE(state.was_ever_connected);
  EXPECT_EQ(state.wanted, 2u);
  EXPECT_EQ(state.acknowledged, 2u);
  EXPECT_EQ(state.subscriptions_held, 1u);
}

}  // namespace
}  // namespace weir
