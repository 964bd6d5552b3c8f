#include "broker/bus/memory_bus.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/base/keyed_hash.h"
#include "broker/bus/bus_thread.h"
#include "broker/bus/job_queue.h"
#include "proto/channel_name.h"

namespace weir {
namespace {

// Call on_idle() at least this often, so that other threads do not sleep through a long batch.
constexpr std::size_t kJobsPerIdle = 256;

class MemoryBus : public Bus {
 public:
  MemoryBus(const BusLimits& limits, BusListener& listener)
      : listener_(listener), queue_(limits, [this] { asio::post(thread_.io(), [this] { do_jobs(); }); }) {}

  ~MemoryBus() override { MemoryBus::stop(); }

  void start() override {
    asio::post(thread_.io(), [this] { tell_recording(); });
    thread_.start();
  }
  void stop() override {
    thread_.stop([this] { queue_.close(); });
  }

  void subscribe(std::string channel) override { queue_.subscribe(std::move(channel)); }
  void unsubscribe(std::string channel) override { queue_.unsubscribe(std::move(channel)); }
  void record(std::string pattern) override {
    assert(!thread_.is_running());
    patterns_.push_back(std::move(pattern));
    wanted_ = patterns_.size();
  }
  void publish(std::string channel, std::string payload, PublishDone done) override {
    queue_.publish(std::move(channel), std::move(payload), std::move(done));
  }

  BusState state() const override {
    BusState state;
    state.wanted = wanted_;
    state.acknowledged = acknowledged_;
    state.subscriptions_held = held_ + queue_.subscriptions_waiting();
    state.publishes_waiting = queue_.publishes_waiting();
    return state;
  }

 private:
  void tell_recording() {
    for (const std::string& pattern : patterns_) listener_.on_recording(pattern);
    count_subscriptions();
  }

  void do_jobs() {
    queue_.take(jobs_);
    std::size_t since_idle = 0;
    for (BusJob& job : jobs_) {
      do_job(job);
      if (++since_idle < kJobsPerIdle) continue;
      since_idle = 0;
      listener_.on_idle();
    }
    if (since_idle > 0) listener_.on_idle();
    jobs_.clear();
  }

  void do_job(BusJob& job) {
    switch (job.kind) {
      case BusJob::Kind::kSubscribe:
        subscribed_.insert(job.channel);
        count_subscriptions();
        listener_.on_subscribed(job.channel);
        return;
      case BusJob::Kind::kUnsubscribe:
        subscribed_.erase(job.channel);
        count_subscriptions();
        return;
      case BusJob::Kind::kPublish:
        return deliver(job);
      case BusJob::Kind::kDecided:
        return job.done(std::move(job.result));
      case BusJob::Kind::kSubscribeStream:
      case BusJob::Kind::kUnsubscribeStream:
      case BusJob::Kind::kRead:
      case BusJob::Kind::kReadRefused:
        assert(false);  // There is no streams().
    }
  }

  void deliver(BusJob& job) {
    const bool is_wanted = subscribed_.contains(job.channel) || is_recorded(job.channel);
    if (is_wanted) listener_.on_message(job.channel, job.payload);
    const std::size_t bytes = job.payload.size();
    // Its place is about to be free, so free its memory, too: others wait in the same batch.
    std::string().swap(job.payload);
    queue_.finish_publish(bytes);
    job.done({PublishOutcome::kDelivered, is_wanted ? 1u : 0u, {}});
  }

  bool is_recorded(std::string_view channel) const {
    return std::any_of(patterns_.begin(), patterns_.end(),
                       [&](const std::string& pattern) { return matches_pattern(pattern, channel); });
  }

  void count_subscriptions() {
    held_ = subscribed_.size();
    acknowledged_ = wanted_ = subscribed_.size() + patterns_.size();
  }

  BusListener& listener_;
  std::vector<std::string> patterns_;  // Fixed at start().
  NameSet subscribed_;
  std::vector<BusJob> jobs_;  // The jobs in hand, kept for its memory.
  std::atomic<std::uint64_t> wanted_ = 0;
  std::atomic<std::uint64_t> acknowledged_ = 0;
  std::atomic<std::uint64_t> held_ = 0;
  JobQueue queue_;
  BusThread thread_;
};

}  // namespace

std::unique_ptr<Bus> make_memory_bus(const BusLimits& limits, BusListener& listener) {
  return std::make_unique<MemoryBus>(limits, listener);
}

}  // namespace weir
