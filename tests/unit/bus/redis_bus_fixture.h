// What tests of a RedisBus against a real redis-server share.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "broker/bus/redis_bus.h"
#include "tests/support/redis_server.h"
#include "tests/unit/bus/bus_observer.h"

namespace weir {

inline std::vector<std::string> numbers(int count) {
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) texts.push_back(std::to_string(i));
  return texts;
}

class RedisBusTest : public ::testing::Test {
 protected:
  // Intervals are short, so that what they lead to comes soon; yet long enough for a busy machine.
  static RedisBusOptions options_for(const std::string& url) {
    const Result<RedisUrl> parsed = parse_redis_url(url);
    EXPECT_TRUE(parsed) << url;
    RedisBusOptions options;
    if (parsed) options.url = *parsed;
    options.limits = kAmpleLimits;
    options.publish_timeout = std::chrono::seconds(5);
    options.backoff_min = std::chrono::milliseconds(1);
    options.backoff_max = std::chrono::milliseconds(50);
    return options;
  }
  void start(const std::string& url) { start(options_for(url)); }
  void start(RedisBusOptions options, std::vector<std::string> patterns = {}) {
    bus_ = make_redis_bus(std::move(options), observer_);
    for (std::string& pattern : patterns) bus_->record(std::move(pattern));
    bus_->start();
  }
  // Until both connections are up: there is no event for it, so a publish asks.
  [[nodiscard]] bool wait_until_publishing() {
    return poll(
        [&] { return publish_and_wait(*bus_, "are-you-there", "").outcome == PublishOutcome::kDelivered; });
  }
  [[nodiscard]] static bool poll(const std::function<bool()>& is_true) {
    const auto deadline = std::chrono::steady_clock::now() + kTestDeadline;
    while (std::chrono::steady_clock::now() < deadline) {
      if (is_true()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return false;
  }
  [[nodiscard]] bool subscribe_and_wait(const std::string& channel) {
    const int before = observer_.times_subscribed(channel);
    bus_->subscribe(channel);
    return observer_.wait_for_subscribed(channel, before + 1);
  }
  static std::vector<RedisServer::Words> publishes(const std::string& channel,
                                                   const std::vector<std::string>& texts) {
    std::vector<RedisServer::Words> commands;
    for (const std::string& text : texts) commands.push_back({"PUBLISH", channel, text});
    return commands;
  }

  BusObserver observer_;
  std::unique_ptr<Bus> bus_;
};

}  // namespace weir
