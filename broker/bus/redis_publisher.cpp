#include "broker/bus/redis_publisher.h"

#include <algorithm>
#include <utility>

#include "redis/redis_error.h"
#include "redis/redis_reply.h"

namespace weir {
namespace {

PublishOutcome outcome_of(std::string_view error) {
  if (is_no_permission(error)) return PublishOutcome::kForbidden;
  if (is_too_large(error)) return PublishOutcome::kTooLarge;
  return may_pass(error) ? PublishOutcome::kUnavailable : PublishOutcome::kRefused;
}

}  // namespace

RedisPublisher::RedisPublisher(asio::io_context& io, const RedisBusOptions& options, JobQueue& queue)
    : options_(options), queue_(queue), deadline_timer_(io), connection_(io, options, "publisher", *this) {}

void RedisPublisher::close() {
  is_up_ = false;
  connection_.close();
  deadline_timer_.cancel();
  abandon_all(PublishOutcome::kUnknown, "the bus has ended");
}

// Hot path: once per publish.
void RedisPublisher::publish(BusJob job) {
  Waiting waiting{false, job.payload.size(), std::chrono::steady_clock::now(), std::move(job.done)};
  if (!connection_.is_up()) {
    return complete(std::move(waiting), {PublishOutcome::kUnavailable, 0, "Redis is away"});
  }
  name_.assign(options_.prefix).append(job.channel);
  const std::string_view words[] = {"PUBLISH", name_};
  connection_.send(words, std::move(job.payload));
  waiting_.push_back(std::move(waiting));
  watch_deadline();
}

void RedisPublisher::on_reply(const redisReply& reply) {
  if (waiting_.empty()) return connection_.fail("an answer to no question");
  Waiting waiting = std::move(waiting_.front());
  waiting_.pop_front();
  round_trips_.observe(std::chrono::steady_clock::now() - waiting.sent);
  if (waiting.is_ping) return;
  if (reply.type == REDIS_REPLY_INTEGER) {
    return complete(std::move(waiting),
                    {PublishOutcome::kDelivered, static_cast<std::uint64_t>(reply.integer), {}});
  }
  if (reply.type == REDIS_REPLY_ERROR) {
    const std::string_view text = text_of(reply);
    const auto outcome = outcome_of(text);
    complete(std::move(waiting), {outcome, 0, std::string(without_arguments(text))});
    if (outcome != PublishOutcome::kTooLarge) return;
    // Redis has read nothing behind it, so what others publish is not unknown.
    abandon_all(PublishOutcome::kUnavailable, "Redis closed the connection for another message's size");
    return connection_.fail("a message was larger than Redis' proto-max-bulk-len");
  }
  complete(std::move(waiting), {PublishOutcome::kUnknown, 0, "Redis' answer is not that of a PUBLISH"});
  connection_.fail("the answers are out of step");
}

void RedisPublisher::on_ping_due() {
  constexpr std::string_view kPing[] = {"PING"};
  waiting_.push_back({true, 0, std::chrono::steady_clock::now(), {}});
  connection_.send(kPing);
}

void RedisPublisher::on_down() {
  is_up_ = false;
  abandon_all(PublishOutcome::kUnknown, "the connection to Redis was lost before it answered");
}

void RedisPublisher::complete(Waiting waiting, PublishResult result) {
  queue_.finish_publish(waiting.payload_bytes);
  waiting.done(std::move(result));
}

void RedisPublisher::abandon_all(PublishOutcome outcome, const char* why) {
  std::deque<Waiting> abandoned;
  abandoned.swap(waiting_);
  for (Waiting& waiting : abandoned) {
    if (!waiting.is_ping) complete(std::move(waiting), {outcome, 0, why});
  }
}

// One timer suffices: publishes have the same time each.
void RedisPublisher::watch_deadline() {
  if (is_watching_) return;
  const auto first =
      std::find_if(waiting_.begin(), waiting_.end(), [](const Waiting& it) { return !it.is_ping; });
  if (first == waiting_.end()) return;
  is_watching_ = true;
  deadline_timer_.expires_at(first->sent + options_.publish_timeout);
  deadline_timer_.async_wait([this, watched = first->sent](asio::error_code error) {
    is_watching_ = false;
    if (error) return;
    const auto oldest =
        std::find_if(waiting_.begin(), waiting_.end(), [](const Waiting& it) { return !it.is_ping; });
    if (oldest != waiting_.end() && oldest->sent <= watched) {
      return connection_.fail("no answer to PUBLISH within " +
                              std::to_string(options_.publish_timeout.count()) + " ms");
    }
    watch_deadline();
  });
}

}  // namespace weir
