// The requests of other threads on their way to the bus thread, and the limit on publishes that wait.
//
// Threads: take() and close() on the bus thread, everything else on any. A publish is counted by its caller's
//          thread, so that a burst is bounded before the bus thread sees any of it.
// Limits:  BusLimits for publishes. The caller bounds its subscriptions, by subscriptions_waiting().
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
    kDecided,  // A publish that was refused by a limit: call `done` with `result`.
  };
  Kind kind = Kind::kSubscribe;
  std::string channel;
  std::string payload;
  Bus::PublishDone done;
  PublishResult result;
};

class JobQueue {
 public:
  // `wake` is called on the thread that adds the first job after a take(). It must not block.
  JobQueue(BusLimits limits, std::function<void()> wake);

  void subscribe(std::string channel);
  void unsubscribe(std::string channel);
  // A publish that passes a limit comes out as kDecided. After close() `done` is called before it returns.
  void publish(std::string channel, std::string payload, Bus::PublishDone done);

  // Replaces `jobs` by the waiting ones, oldest first.
  void take(std::vector<BusJob>& jobs);
  // Frees the place of a kPublish job. Call it before the job's `done`, which may publish again.
  void finish_publish(std::size_t payload_bytes);
  // Completes every waiting publish, and each later one at once.
  void close();

  std::uint64_t publishes_waiting() const { return waiting_.load(); }
  // Calls of subscribe() and unsubscribe() that take() has not returned yet.
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
