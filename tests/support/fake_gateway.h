// A gateway without hub and bus, for the tests of http/ and api/: streams end where the test wants, publishes
// are answered as it says.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "broker/hub/gateway.h"
#include "tests/support/deadline.h"

namespace weir {

// Why a stream finds no place, if it does not. With clang, std::atomic of an optional would need libatomic.
class AtomicRefusal {
 public:
  AtomicRefusal& operator=(NoPlace why) {
    why_ = static_cast<int>(why);
    return *this;
  }
  std::optional<NoPlace> load() const {
    const int why = why_;
    return why == kNone ? std::nullopt : std::optional(static_cast<NoPlace>(why));
  }

 private:
  static constexpr int kNone = -1;
  std::atomic<int> why_ = kNone;
};

class FakeGateway final : public Gateway {
 public:
  struct Published {
    std::string channel;
    std::string payload;
    std::string idempotency_key = {};
  };
  struct Opened {
    StreamRequest request;
    Place place;
    int socket = -1;
  };

  ~FakeGateway() override { end_streams(); }

  Admission admit(const IpAddress&) override {
    if (const auto why = refusal.load()) return {std::nullopt, *why};
    ++places;
    return {Place([this] { --places; })};
  }

  bool open_stream(StreamRequest request, Place place, int socket) override {
    if (has_no_channels) return false;
    const std::lock_guard lock(mutex_);
    opened_.push_back({std::move(request), std::move(place), socket});
    changed_.notify_all();
    return true;
  }

  bool fits(std::string_view, std::string_view payload) const override {
    return payload.size() <= message_bytes_max;
  }

  bool is_durable(std::string_view) const override { return false; }
  void read_history(HistoryQuery query, std::function<void(HistoryPage)> done) override {
    {
      const std::lock_guard lock(mutex_);
      history_queries_.push_back(std::move(query));
      if (holds_history) {
        history_waiting_.push_back(std::move(done));
        done = nullptr;
      }
      changed_.notify_all();
    }
    if (done) done(history);
  }

  void publish(std::string channel, std::string payload, std::string idempotency_key,
               Bus::PublishDone done) override {
    std::unique_lock lock(mutex_);
    published_.push_back({std::move(channel), std::move(payload), std::move(idempotency_key)});
    if (holds_publishes) {
      waiting_.push_back(std::move(done));
    } else {
      lock.unlock();
      done(result);
      lock.lock();
    }
    changed_.notify_all();
  }

  std::size_t subscribers(std::string_view) const override { return channel_info.subscribers; }
  ChannelInfo info(std::string_view) const override { return channel_info; }
  std::vector<ChannelInfo> channels(std::size_t) const override { return {channel_info}; }
  std::size_t open_channels() const override { return channels_open; }
  std::vector<SlowClient> slowest() const override { return slow_clients; }
  bool is_draining() const override { return draining; }
  BusState bus_state() const override {
    const std::lock_guard lock(mutex_);
    return state;
  }

  // The next `count`-th stream that was opened, as soon as it is. Stays here; its socket is open.
  Opened* wait_for_stream(std::size_t count = 1) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kDeadline, [&] { return opened_.size() >= count; })) return nullptr;
    return &opened_[count - 1];
  }
  std::vector<Published> wait_for_published(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kDeadline, [&] { return published_.size() >= count; });
    return published_;
  }
  std::size_t published() const {
    const std::lock_guard lock(mutex_);
    return published_.size();
  }
  // All that was published, which is then forgotten.
  std::vector<Published> take_published() {
    const std::lock_guard lock(mutex_);
    return std::exchange(published_, {});
  }
  // Answers the publishes that were held back, in order.
  void answer_publishes(const PublishResult& answer) {
    std::vector<Bus::PublishDone> waiting;
    {
      const std::lock_guard lock(mutex_);
      waiting.swap(waiting_);
    }
    for (const auto& done : waiting) done(answer);
  }
  // The pages of history that were asked for, as soon as there are `count`.
  std::vector<HistoryQuery> wait_for_history_queries(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kDeadline, [&] { return history_queries_.size() >= count; });
    return history_queries_;
  }
  // Answers the reads of history that were held back, in order.
  void answer_history(const HistoryPage& page) {
    std::vector<std::function<void(HistoryPage)>> waiting;
    {
      const std::lock_guard lock(mutex_);
      waiting.swap(history_waiting_);
    }
    for (const auto& done : waiting) done(page);
  }
  void end_streams() {
    const std::lock_guard lock(mutex_);
    for (const Opened& stream : opened_) ::close(stream.socket);
    opened_.clear();
  }
  void set_state(BusState bus_state) {
    const std::lock_guard lock(mutex_);
    state = bus_state;
  }

  // Set before the server starts, or atomics.
  AtomicRefusal refusal;
  std::atomic<bool> has_no_channels = false;
  std::atomic<bool> draining = false;
  std::atomic<bool> holds_publishes = false;
  std::atomic<bool> holds_history = false;
  std::atomic<int> places = 0;
  std::size_t message_bytes_max = 64 << 20;
  PublishResult result{PublishOutcome::kDelivered, 1, ""};
  HistoryPage history{.outcome = HistoryPage::Outcome::kNoHistory};
  ChannelInfo channel_info;
  std::size_t channels_open = 1;
  std::vector<SlowClient> slow_clients;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  BusState state;
  std::vector<Opened> opened_;
  std::vector<Published> published_;
  std::vector<Bus::PublishDone> waiting_;
  std::vector<HistoryQuery> history_queries_;
  std::vector<std::function<void(HistoryPage)>> history_waiting_;
};

}  // namespace weir
