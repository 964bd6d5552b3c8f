// The requests of other threads on their way to the bus thread, and the limit on publishes that wait.
//
// Threads: take() and close() on the bus thread, everything else on any. A publish is counted by its caller's
//          thread, so that a burst is bounded before the bus thread sees any of it.
// Limits:  BusLimits for publishes, kReadsWaitingMax for reads of streams. The caller bounds its subscriptions, by
//          subscriptions_waiting().
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "broker/base/mutex.h"
#include "broker/bus/bus.h"
#include "broker/bus/streams.h"

namespace weir {

// Reads without an outcome, of all channels. Past it a read is kAway.
inline constexpr std::size_t kReadsWaitingMax = 16'384;

struct BusJob {
  enum class Kind {
    kSubscribe,
    kUnsubscribe,
    kPublish,  // To a durable channel if `stream` is there.
    kDecided,  // A publish that was refused by a limit: call `done` with `result`.
    kSubscribeStream,
    kUnsubscribeStream,
    kRead,
    kReadRefused,  // A read that was refused by the limit.
  };
  // What jobs of streams have in addition, so that the others stay small.
  struct Stream {
    StreamSource source = {};
    std::uint64_t messages_max = 0;
    std::uint64_t seconds_max = 0;
    std::string idempotency_key = {};
    StreamRead read = {};
    Streams::ReadDone read_done = {};
  };
  Kind kind = Kind::kSubscribe;
  std::string channel = {};
  std::string payload = {};
  Bus::PublishDone done = {};
  PublishResult result = {};
  std::unique_ptr<Stream> stream = {};
};

class JobQueue {
 public:
  // `wake` is called on the thread that adds the first job after a take(). It must not block.
  JobQueue(BusLimits limits, std::function<void()> wake);

  void subscribe(std::string channel);
  void unsubscribe(std::string channel);
  // A publish that passes a limit comes out as kDecided. After close() `done` is called before it returns.
  void publish(std::string channel, std::string payload, Bus::PublishDone done);
  // The same for streams (streams.h).
  void subscribe_stream(std::string channel, StreamSource source);
  void unsubscribe_stream(std::string channel);
  void publish(DurableMessage message, Bus::PublishDone done);
  // A read past the limit comes out as kReadRefused. After close() `done` is called before it returns.
  void read(StreamRead read, Streams::ReadDone done);

  // Replaces `jobs` by the waiting ones, oldest first.
  void take(std::vector<BusJob>& jobs);
  // Frees the place of a kPublish job. Call it before the job's `done`, which may publish again.
  void finish_publish(std::size_t payload_bytes);
  // Frees the place of a kRead job. Call it before the job's `read_done`.
  void finish_read() { reads_waiting_.fetch_sub(1); }
  // Completes every waiting publish and read, and each later one at once.
  void close();

  std::uint64_t publishes_waiting() const { return waiting_.load(); }
  std::uint64_t reads_waiting() const { return reads_waiting_.load(); }
  // Calls that subscribe or unsubscribe and that take() has not returned yet.
  std::uint64_t subscriptions_waiting() const { return subscriptions_waiting_.load(); }

 private:
  void add(BusJob job);
  void add_publish(BusJob job);
  bool reserve(std::size_t payload_bytes);
  void abandon(BusJob& job);

  const BusLimits limits_;
  const std::function<void()> wake_;
  std::atomic<std::size_t> waiting_ = 0;
  std::atomic<std::size_t> waiting_bytes_ = 0;
  std::atomic<std::size_t> subscriptions_waiting_ = 0;
  std::atomic<std::size_t> reads_waiting_ = 0;

  Mutex mutex_;  // Leaf lock.
  std::vector<BusJob> jobs_ GUARDED_BY(mutex_);
  bool is_closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace weir
