// A BusListener for tests: writes down what the bus says, and lets a test wait for it.
//
// Threads: all functions, any thread. Waiting has an upper bound, and gives false when it is reached.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "broker/bus/bus.h"

namespace weir {

// Limits that no test reaches by chance.
inline constexpr BusLimits kAmpleLimits{
    .message_bytes_max = 4 << 20, .publishes_waiting_max = 10'000, .publishes_waiting_bytes_max = 64 << 20};

inline constexpr std::chrono::seconds kTestDeadline{60};

class BusObserver : public BusListener {
 public:
  struct Message {
    std::string channel;
    std::string payload;
    bool operator==(const Message&) const = default;
  };

  void on_message(std::string_view channel, std::string_view payload) override {
    note([&] {
      messages_.push_back({std::string(channel), std::string(payload)});
      order_.push_back(messages_.back());
    });
  }
  void on_too_large(std::string_view channel) override {
    note([&] { log_.push_back("too-large " + std::string(channel)); });
  }
  void on_subscribed(std::string_view channel) override {
    note([&] {
      ++subscribed_[std::string(channel)];
      states_.push_back("subscribed");
      order_.push_back({std::string(channel), "subscribed"});
    });
  }
  void on_recording(std::string_view pattern) override {
    note([&] { log_.push_back("recording " + std::string(pattern)); });
  }
  void on_refused(std::string_view channel, std::string_view why) override {
    note([&] { log_.push_back("refused " + std::string(channel) + ": " + std::string(why)); });
  }
  void on_lost() override {
    note([&] {
      log_.push_back("lost");
      states_.push_back("lost");
      order_.push_back({{}, "lost"});
    });
  }
  void on_state(bool is_up) override {
    note([&] { states_.push_back(is_up ? "up" : "down"); });
  }
  void on_idle() override {
    note([&] { delivered_when_idle_ = messages_.size(); });
  }

  // Waits until `is_true`, which is asked under the lock after everything that happens.
  bool wait(const std::function<bool()>& is_true) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kTestDeadline, is_true);
  }
  bool wait_for_messages(std::size_t count) {
    return wait([&] { return messages_.size() >= count; });
  }
  // Until all messages so far, and at least `count`, were followed by on_idle().
  bool wait_for_idle_after(std::size_t count) {
    return wait([&] { return delivered_when_idle_ >= count; });
  }
  // Until on_subscribed() was called for `channel` `times` times in all.
  bool wait_for_subscribed(const std::string& channel, int times = 1) {
    return wait([&] { return subscribed_[channel] >= times; });
  }
  // Until on_subscribed() was called for `channels` different channels, `times` times each at least.
  bool wait_for_all_subscribed(std::size_t channels, int times = 1) {
    return wait([&] {
      return subscribed_.size() >= channels &&
             std::all_of(subscribed_.begin(), subscribed_.end(),
                         [&](const auto& it) { return it.second >= times; });
    });
  }
  bool wait_for_line(const std::string& line, int times = 1) {
    return wait([&] { return std::count(log_.begin(), log_.end(), line) >= times; });
  }

  std::vector<Message> messages() const {
    const std::lock_guard lock(mutex_);
    return messages_;
  }
  // The payloads of one channel, in order.
  std::vector<std::string> payloads(std::string_view channel) const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> found;
    for (const Message& message : messages_) {
      if (message.channel == channel) found.push_back(message.payload);
    }
    return found;
  }
  // What was said of `channel`, in order: payloads, "subscribed", and "lost", which concerns all of them.
  std::vector<std::string> order_of(std::string_view channel) const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> found;
    for (const Message& message : order_) {
      if (message.channel == channel || message.channel.empty()) found.push_back(message.payload);
    }
    return found;
  }
  int times_subscribed(const std::string& channel) const {
    const std::lock_guard lock(mutex_);
    const auto found = subscribed_.find(channel);
    return found == subscribed_.end() ? 0 : found->second;
  }
  // "up" and "down", with "subscribed" (to any channel) and "lost" between them.
  std::vector<std::string> states() const {
    const std::lock_guard lock(mutex_);
    return states_;
  }
  bool wait_for_state(const std::string& state) {
    return wait([&] { return !states_.empty() && states_.back() == state; });
  }
  // "lost", "recording PATTERN", "too-large CHANNEL", "refused CHANNEL: WHY".
  std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return log_;
  }

 private:
  template <typename Change>
  void note(const Change& change) {
    {
      const std::lock_guard lock(mutex_);
      change();
    }
    changed_.notify_all();
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Message> messages_;
  std::vector<Message> order_;
  std::vector<std::string> log_;
  std::vector<std::string> states_;
  std::map<std::string, int> subscribed_;
  std::size_t delivered_when_idle_ = 0;
};

// The results of publishes, in the order of their completion.
class PublishResults {
 public:
  Bus::PublishDone collect() {
    return [this](PublishResult result) {
      // Notified under the lock: this object may be gone as soon as the waiting test sees the last result.
      const std::lock_guard lock(mutex_);
      results_.push_back(std::move(result));
      changed_.notify_all();
    };
  }
  // The first `count` results; fewer if they don't come in time.
  std::vector<PublishResult> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kTestDeadline, [&] { return results_.size() >= count; });
    return results_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<PublishResult> results_;
};

// Publishes and waits for the outcome.
inline PublishResult publish_and_wait(Bus& bus, std::string channel, std::string payload) {
  PublishResults results;
  bus.publish(std::move(channel), std::move(payload), results.collect());
  const auto all = results.wait_for(1);
  return all.empty() ? PublishResult{PublishOutcome::kUnknown, 0, "the test waited in vain"} : all.front();
}

}  // namespace weir
