#include "broker/bus/job_queue.h"

#include <algorithm>
#include <utility>

namespace weir {
namespace {

bool is_subscription(const BusJob& job) {
  return job.kind == BusJob::Kind::kSubscribe || job.kind == BusJob::Kind::kUnsubscribe;
}

}  // namespace

JobQueue::JobQueue(BusLimits limits, std::function<void()> wake) : limits_(limits), wake_(std::move(wake)) {}

void JobQueue::subscribe(std::string channel) {
  ++subscriptions_waiting_;
  add({BusJob::Kind::kSubscribe, std::move(channel), {}, {}, {}});
}

void JobQueue::unsubscribe(std::string channel) {
  ++subscriptions_waiting_;
  add({BusJob::Kind::kUnsubscribe, std::move(channel), {}, {}, {}});
}

void JobQueue::publish(std::string channel, std::string payload, Bus::PublishDone done) {
  if (payload.size() > limits_.message_bytes_max) {
    const std::string why =
        "the message has more than " + std::to_string(limits_.message_bytes_max) + " bytes";
    return add({BusJob::Kind::kDecided, {}, {}, std::move(done), {PublishOutcome::kRefused, 0, why}});
  }
  if (!reserve(payload.size())) {
    const std::string why = "too many publishes wait";
    return add({BusJob::Kind::kDecided, {}, {}, std::move(done), {PublishOutcome::kUnavailable, 0, why}});
  }
  add({BusJob::Kind::kPublish, std::move(channel), std::move(payload), std::move(done), {}});
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
  if (job.done) job.done(std::move(job.result));
}

}  // namespace weir
