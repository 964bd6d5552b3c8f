#include "broker/bus/memory_bus.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "broker/bus/publish_quota.h"
#include "proto/channel_name.h"

namespace weir {
namespace {

// The listener hears on_idle() at least this often: others should not sleep through a long batch.
constexpr std::size_t kMessagesPerIdle = 256;

struct Job {
  enum class Kind { kSubscribe, kUnsubscribe, kPublish, kComplete };
  Kind kind = Kind::kSubscribe;
  std::string channel;
  std::string payload;
  Bus::PublishDone done;
  PublishResult result;  // Of kComplete: a publish that was decided at the caller's side.
};

class MemoryBus : public Bus {
 public:
  MemoryBus(MemoryBusLimits limits, BusListener& listener)
      : limits_(limits),
        listener_(listener),
        quota_(limits.publishes_waiting_max, limits.publishes_waiting_bytes_max) {}

  ~MemoryBus() override { MemoryBus::stop(); }

  void start() override {
    assert(!thread_.joinable());
    thread_ = std::thread([this] { run(); });
    pthread_setname_np(thread_.native_handle(), "weir-bus");
  }

  void stop() override {
    std::vector<Job> left;
    {
      const std::lock_guard lock(mutex_);
      is_stopped_ = true;
      left.swap(jobs_);
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
    for (Job& job : left) abandon(job);
  }

  void subscribe(std::string channel) override {
    add({Job::Kind::kSubscribe, std::move(channel), {}, {}, {}});
  }
  void unsubscribe(std::string channel) override {
    add({Job::Kind::kUnsubscribe, std::move(channel), {}, {}, {}});
  }

  void record(std::string pattern) override {
    assert(!thread_.joinable());
    patterns_.push_back(std::move(pattern));
    wanted_ = patterns_.size();
  }

  void publish(std::string channel, std::string payload, PublishDone done) override {
    if (payload.size() > limits_.message_bytes_max) {
      const std::string why =
          "the message has more than " + std::to_string(limits_.message_bytes_max) + " bytes";
      return add({Job::Kind::kComplete, {}, {}, std::move(done), {PublishOutcome::kRefused, 0, why}});
    }
    if (!quota_.try_take(payload.size())) {
      return add({Job::Kind::kComplete, {}, {}, std::move(done), unavailable("too many publishes wait")});
    }
    add({Job::Kind::kPublish, std::move(channel), std::move(payload), std::move(done), {}});
  }

  BusState state() const override {
    BusState state;
    state.wanted = wanted_;
    state.acknowledged = acknowledged_;
    state.publishes_waiting = quota_.waiting();
    return state;
  }

 private:
  static PublishResult unavailable(const char* why) { return {PublishOutcome::kUnavailable, 0, why}; }

  void add(Job job) {
    {
      std::unique_lock lock(mutex_);
      if (is_stopped_) {
        lock.unlock();
        return abandon(job);  // There is no bus thread any more.
      }
      jobs_.push_back(std::move(job));
      if (jobs_.size() > 1) return;  // The thread was woken for the first one.
    }
    wake_.notify_one();
  }

  // A job that comes too late, after stop().
  void abandon(Job& job) {
    if (job.kind == Job::Kind::kPublish) quota_.give_back(job.payload.size());
    if (job.done)
      job.done(job.kind == Job::Kind::kComplete ? std::move(job.result) : unavailable("the bus has ended"));
  }

  void run() {
    for (const std::string& pattern : patterns_) {
      ++acknowledged_;
      listener_.on_recording(pattern);
    }
    std::vector<Job> batch;
    while (wait_for_jobs(batch)) {
      for (Job& job : batch) {
        do_job(job);
        if (++since_idle_ >= kMessagesPerIdle) tell_idle();
      }
      batch.clear();
      tell_idle();
    }
  }

  bool wait_for_jobs(std::vector<Job>& batch) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return is_stopped_ || !jobs_.empty(); });
    batch.swap(jobs_);
    return !is_stopped_;
  }

  void do_job(Job& job) {
    switch (job.kind) {
      case Job::Kind::kSubscribe:
        if (subscribed_.insert(job.channel).second) count_subscriptions();
        listener_.on_subscribed(job.channel);
        return;
      case Job::Kind::kUnsubscribe:
        if (subscribed_.erase(job.channel) > 0) count_subscriptions();
        return;
      case Job::Kind::kPublish:
        return deliver(job);
      case Job::Kind::kComplete:
        return job.done(std::move(job.result));
    }
  }

  void deliver(Job& job) {
    const bool is_wanted = subscribed_.contains(job.channel) || is_recorded(job.channel);
    if (is_wanted) listener_.on_message(job.channel, job.payload);
    quota_.give_back(job.payload.size());
    job.done({PublishOutcome::kDelivered, is_wanted ? 1u : 0u, {}});
  }

  bool is_recorded(std::string_view channel) const {
    return std::any_of(patterns_.begin(), patterns_.end(),
                       [&](const std::string& pattern) { return matches_pattern(pattern, channel); });
  }

  void count_subscriptions() { acknowledged_ = wanted_ = subscribed_.size() + patterns_.size(); }

  void tell_idle() {
    if (std::exchange(since_idle_, 0) > 0) listener_.on_idle();
  }

  const MemoryBusLimits limits_;
  BusListener& listener_;
  PublishQuota quota_;
  std::vector<std::string> patterns_;  // Fixed at start().

  // Of the bus thread alone.
  std::unordered_set<std::string> subscribed_;
  std::size_t since_idle_ = 0;

  std::atomic<std::uint64_t> wanted_ = 0;
  std::atomic<std::uint64_t> acknowledged_ = 0;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Job> jobs_;    // Guarded by mutex_. Publishes in it are bounded by quota_.
  bool is_stopped_ = false;  // Guarded by mutex_.
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Bus> make_memory_bus(MemoryBusLimits limits, BusListener& listener) {
  return std::make_unique<MemoryBus>(limits, listener);
}

}  // namespace weir
