#include "broker/bus/redis_publisher.h"

#include <algorithm>
#include <utility>

#include "redis/publish_function.h"
#include "redis/redis_error.h"
#include "redis/redis_reply.h"

namespace weir {
namespace {

PublishOutcome outcome_of(std::string_view error) {
  if (is_no_permission(error)) return PublishOutcome::kForbidden;
  if (is_function_missing(error)) return PublishOutcome::kUnavailable;
  if (is_too_large(error)) return PublishOutcome::kTooLarge;
  return may_pass(error) ? PublishOutcome::kUnavailable : PublishOutcome::kRefused;
}

std::string detail_of(std::string_view error) {
  return error.starts_with("OOM ") ? "Redis is out of memory" : std::string(without_arguments(error));
}

// The id; or an array of it, and 1 if it is a repeat, else 0.
std::optional<PublishResult> durable_result(const redisReply& reply) {
  const bool is_pair = reply.type == REDIS_REPLY_ARRAY && reply.elements == 2;
  const auto id = parse_stream_id(text_of(is_pair ? *reply.element[0] : reply));
  if (!id) return std::nullopt;
  return PublishResult{.outcome = PublishOutcome::kDelivered,
                       .detail = {},
                       .id = id,
                       .is_repeated = is_pair && reply.element[1]->integer == 1};
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
  Waiting waiting{.payload_bytes = job.payload.size(),
                  .sent = std::chrono::steady_clock::now(),
                  .done = std::move(job.done)};
  if (!connection_.is_up()) {
    return complete(std::move(waiting), {PublishOutcome::kUnavailable, 0, "Redis is away"});
  }
  if (job.stream) {
    waiting.durable = std::make_unique<BusJob>(std::move(job));
    // Behind those that wait already.
    if (is_holding_) return parked_.push_back(std::move(waiting));
    return publish_durable(std::move(waiting));
  }
  name_.assign(options_.prefix).append(job.channel);
  const std::string_view words[] = {"PUBLISH", name_};
  connection_.send(words, std::move(job.payload));
  waiting_.push_back(std::move(waiting));
  watch_deadline();
}

void RedisPublisher::publish_durable(Waiting waiting) {
  BusJob& job = *waiting.durable;
  const PublishCall call = publish_call(options_.prefix + job.channel, job.stream->messages_max,
                                        job.stream->seconds_max, job.stream->idempotency_key);
  const std::vector<std::string_view> before(call.before.begin(), call.before.end());
  const std::vector<std::string_view> behind(call.behind.begin(), call.behind.end());
  // It may have to be sent once more.
  connection_.send(before, install_ ? job.payload : std::move(job.payload), behind);
  waiting.sent = std::chrono::steady_clock::now();
  waiting_.push_back(std::move(waiting));
  ++durable_under_way_;
  watch_deadline();
}

void RedisPublisher::on_reply(const redisReply& reply) {
  if (waiting_.empty()) return connection_.fail("an answer to no question");
  Waiting waiting = std::move(waiting_.front());
  waiting_.pop_front();
  round_trips_.observe(std::chrono::steady_clock::now() - waiting.sent);
  if (waiting.is_ping) return;
  if (waiting.durable) {
    --durable_under_way_;
    if (reply.type != REDIS_REPLY_ERROR) return on_durable_reply(std::move(waiting), reply);
    if (is_function_missing(text_of(reply)) && install_ && !waiting.is_repeat) {
      refused_.push_back(std::move(waiting));
      is_holding_ = true;
      return install_if_all_answered();
    }
  }
  if (reply.type == REDIS_REPLY_INTEGER) {
    return complete(std::move(waiting),
                    {PublishOutcome::kDelivered, static_cast<std::uint64_t>(reply.integer), {}});
  }
  if (reply.type == REDIS_REPLY_ERROR) {
    const std::string_view text = text_of(reply);
    const auto outcome = outcome_of(text);
    complete(std::move(waiting), {outcome, 0, detail_of(text)});
    if (outcome != PublishOutcome::kTooLarge) return install_if_all_answered();
    // Redis has read nothing behind it, so what others publish is not unknown.
    abandon_all(PublishOutcome::kUnavailable, "Redis closed the connection for another message's size");
    return connection_.fail("a message was larger than Redis' proto-max-bulk-len");
  }
  complete(std::move(waiting), {PublishOutcome::kUnknown, 0, "Redis' answer is not that of a PUBLISH"});
  connection_.fail("the answers are out of step");
}

void RedisPublisher::on_durable_reply(Waiting waiting, const redisReply& reply) {
  auto result = durable_result(reply);
  if (result) {
    complete(std::move(waiting), *std::move(result));
    return install_if_all_answered();
  }
  complete(std::move(waiting), {PublishOutcome::kUnknown, 0, "Redis' answer is not that of weir_publish"});
  connection_.fail("the answers are out of step");
}

void RedisPublisher::install_if_all_answered() {
  if (!is_holding_ || is_installing_ || durable_under_way_ > 0) return;
  is_installing_ = true;
  install_([this](const std::string& why_not) { on_installed(why_not); });
}

std::deque<RedisPublisher::Waiting> RedisPublisher::take_held() {
  std::deque<Waiting> held = std::exchange(refused_, {});
  for (Waiting& waiting : std::exchange(parked_, {})) held.push_back(std::move(waiting));
  return held;
}

void RedisPublisher::on_installed(const std::string& why_not) {
  is_holding_ = is_installing_ = false;
  for (Waiting& waiting : take_held()) {
    if (why_not.empty()) {
      waiting.is_repeat = true;
      publish_durable(std::move(waiting));
    } else {
      complete(std::move(waiting),
               {PublishOutcome::kUnavailable, 0, "Redis lacks the function weir_publish: " + why_not});
    }
  }
  connection_.flush();
}

void RedisPublisher::on_ping_due() {
  constexpr std::string_view kPing[] = {"PING"};
  waiting_.push_back({.is_ping = true, .sent = std::chrono::steady_clock::now()});
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
  std::deque<Waiting> held = take_held();
  durable_under_way_ = 0;
  is_holding_ = is_installing_;
  for (Waiting& waiting : std::exchange(waiting_, {})) {
    if (!waiting.is_ping) complete(std::move(waiting), {outcome, 0, why});
  }
  // Redis has none of these.
  for (Waiting& waiting : held) complete(std::move(waiting), {PublishOutcome::kUnavailable, 0, why});
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
