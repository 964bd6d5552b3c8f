#include "broker/bus/job_queue.h"

#include <algorithm>
#include <utility>

#include "redis/publish_function.h"

namespace weir {
namespace {

bool is_subscription(const BusJob& job) {
  switch (job.kind) {
    case BusJob::Kind::kSubscribe:
    case BusJob::Kind::kUnsubscribe:
    case BusJob::Kind::kSubscribeStream:
    case BusJob::Kind::kUnsubscribeStream:
      return true;
    case BusJob::Kind::kPublish:
    case BusJob::Kind::kDecided:
    case BusJob::Kind::kRead:
    case BusJob::Kind::kReadRefused:
      return false;
  }
  return false;
}

BusJob decided(Bus::PublishDone done, PublishOutcome outcome, std::string why) {
  return {.kind = BusJob::Kind::kDecided, .done = std::move(done), .result = {outcome, 0, std::move(why)}};
}

}  // namespace

JobQueue::JobQueue(BusLimits limits, std::function<void()> wake) : limits_(limits), wake_(std::move(wake)) {}

void JobQueue::subscribe(std::string channel) {
  ++subscriptions_waiting_;
  add({.kind = BusJob::Kind::kSubscribe, .channel = std::move(channel)});
}

void JobQueue::unsubscribe(std::string channel) {
  ++subscriptions_waiting_;
  add({.kind = BusJob::Kind::kUnsubscribe, .channel = std::move(channel)});
}

void JobQueue::subscribe_stream(std::string channel, StreamSource source) {
  ++subscriptions_waiting_;
  auto stream = std::make_unique<BusJob::Stream>(BusJob::Stream{.source = std::move(source)});
  add({.kind = BusJob::Kind::kSubscribeStream, .channel = std::move(channel), .stream = std::move(stream)});
}

void JobQueue::unsubscribe_stream(std::string channel) {
  ++subscriptions_waiting_;
  add({.kind = BusJob::Kind::kUnsubscribeStream, .channel = std::move(channel)});
}

void JobQueue::publish(std::string channel, std::string payload, Bus::PublishDone done) {
  add_publish({.kind = BusJob::Kind::kPublish,
               .channel = std::move(channel),
               .payload = std::move(payload),
               .done = std::move(done)});
}

void JobQueue::publish(DurableMessage message, Bus::PublishDone done) {
  if (message.payload.size() > kPublishPayloadBytesMax) {
    return add(decided(std::move(done), PublishOutcome::kTooLarge, "a durable message has at most 4 MiB"));
  }
  auto stream =
      std::make_unique<BusJob::Stream>(BusJob::Stream{.messages_max = message.messages_max,
                                                      .seconds_max = message.seconds_max,
                                                      .idempotency_key = std::move(message.idempotency_key)});
  add_publish({.kind = BusJob::Kind::kPublish,
               .channel = std::move(message.channel),
               .payload = std::move(message.payload),
               .done = std::move(done),
               .stream = std::move(stream)});
}

void JobQueue::add_publish(BusJob job) {
  if (job.payload.size() > limits_.message_bytes_max) {
    return add(decided(std::move(job.done), PublishOutcome::kRefused,
                       "the message has more than " + std::to_string(limits_.message_bytes_max) + " bytes"));
  }
  if (!reserve(job.payload.size())) {
    return add(decided(std::move(job.done), PublishOutcome::kUnavailable, "too many publishes wait"));
  }
  add(std::move(job));
}

void JobQueue::read(StreamRead read, Streams::ReadDone done) {
  auto kind = BusJob::Kind::kRead;
  if (reads_waiting_.fetch_add(1) >= kReadsWaitingMax) {
    finish_read();
    kind = BusJob::Kind::kReadRefused;
  }
  auto stream =
      std::make_unique<BusJob::Stream>(BusJob::Stream{.read = std::move(read), .read_done = std::move(done)});
  add({.kind = kind, .stream = std::move(stream)});
}

void JobQueue::take(std::vector<BusJob>& jobs) {
  jobs.clear();
  {
    const MutexLock lock(mutex_);
    jobs.swap(jobs_);
  }
  subscriptions_waiting_ -=
      static_cast<std::size_t>(std::count_if(jobs.begin(), jobs.end(), is_subscription));
}

// Admits a message larger than publishes_waiting_bytes_max if nothing else waits: otherwise
// it would never fit.
bool JobQueue::reserve(std::size_t payload_bytes) {
  const std::size_t waiting_before = waiting_.fetch_add(1);
  const std::size_t bytes_before = waiting_bytes_.fetch_add(payload_bytes);
  const bool has_room =
      bytes_before == 0 || bytes_before + payload_bytes <= limits_.publishes_waiting_bytes_max;
  const bool fits = waiting_before < limits_.publishes_waiting_max && has_room;
  if (!fits) finish_publish(payload_bytes);
  return fits;
}

void JobQueue::finish_publish(std::size_t payload_bytes) {
  waiting_bytes_.fetch_sub(payload_bytes);
  waiting_.fetch_sub(1);
}

void JobQueue::close() {
  std::vector<BusJob> left;
  {
    const MutexLock lock(mutex_);
    is_closed_ = true;
    left.swap(jobs_);
  }
  for (BusJob& job : left) abandon(job);
}

void JobQueue::add(BusJob job) {
  std::vector<BusJob> late;
  bool is_first = false;
  {
    const MutexLock lock(mutex_);
    (is_closed_ ? late : jobs_).push_back(std::move(job));
    is_first = jobs_.size() == 1;
  }
  for (BusJob& each : late) abandon(each);
  if (is_first) wake_();
}

void JobQueue::abandon(BusJob& job) {
  if (job.kind == BusJob::Kind::kPublish) {
    finish_publish(job.payload.size());
    job.result = {PublishOutcome::kUnavailable, 0, "the bus has ended"};
  }
  if (job.kind == BusJob::Kind::kRead) finish_read();
  if (job.done) job.done(std::move(job.result));
  if (job.stream && job.stream->read_done) job.stream->read_done({.why = "the bus has ended"});
}

}  // namespace weir
