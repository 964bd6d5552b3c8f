// What other threads ask of a bus, on its way to the bus thread; and the one limit on publishes that wait.
//
// Threads: take() and close() on the bus thread, everything else on any thread. Publishes are counted at the
//          caller's side, so a burst is bounded before the bus thread has seen any of it.
// Limits:  BusLimits. Subscriptions are bounded by whoever wants them, who asks how many wait.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "broker/base/mutex.h"
#include "broker/bus/bus.h"

namespace weir {

struct BusJob {
  enum class Kind {
    kSubscribe,
    kUnsubscribe,
    kPublish,
    kDecided,  // A publish that was turned down on the way in: `done` is to be called with `result`.
  };
  Kind kind = Kind::kSubscribe;
  std::string channel;
  std::string payload;
  Bus::PublishDone done;
  PublishResult result;
};

class JobQueue {
 public:
  // `wake` is called on the adding thread, once for all jobs until the next take().
  JobQueue(BusLimits limits, std::function<void()> wake);

  void subscribe(std::string channel);
  void unsubscribe(std::string channel);
  // A publish that passes a limit comes out as kDecided. After close() `done` is called right here.
  void publish(std::string channel, std::string payload, Bus::PublishDone done);

  // Replaces `jobs` by those that wait, oldest first.
  void take(std::vector<BusJob>& jobs);
  // A kPublish job is over: its place is free. Before its `done` is called, so that this may publish again.
  void finish_publish(std::size_t payload_bytes);
  // Completes what waits; nothing waits ever after.
  void close();

  std::uint64_t publishes_waiting() const { return waiting_.load(); }
  // Calls of subscribe() and unsubscribe() that were not taken yet.
  std::uint64_t subscriptions_waiting() const { return subscriptions_waiting_.load(); }

 private:
  void add(BusJob job);
  bool reserve(std::size_t payload_bytes);
  void abandon(BusJob& job);

  const BusLimits limits_;
  const std::function<void()> wake_;
  std::atomic<std::size_t> waiting_ = 0;
  std::atomic<std::size_t> waiting_bytes_ = 0;
  std::atomic<std::size_t> subscriptions_waiting_ = 0;

  Mutex mutex_;  // Leaf lock.
  std::vector<BusJob> jobs_ GUARDED_BY(mutex_);
  bool is_closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace weir
