#include "broker/bus/redis_history.h"

#include <memory>
#include <optional>
#include <utility>

#include "broker/base/logging.h"
#include "broker/bus/stream_entry.h"
#include "redis/publish_function.h"
#include "redis/redis_error.h"
#include "redis/redis_reply.h"

namespace weir {
namespace {

// The id that a stream has given last, from the reply to XINFO STREAM.
// Sets the end of a stream by XINFO STREAM. False if that is not its answer.
bool take_end(const redisReply& info, StreamReadResult& result) {
  if (info.type != REDIS_REPLY_ARRAY) return false;
  long long length = 0;
  long long added = 0;  // Redis 7.
  for (std::size_t i = 0; i + 1 < info.elements; i += 2) {
    const std::string_view name = text_of(*info.element[i]);
    const redisReply& value = *info.element[i + 1];
    if (name == "last-generated-id") result.end = parse_stream_id(text_of(value));
    if (name == "length") length = value.integer;
    if (name == "entries-added") added = value.integer;
  }
  result.is_trimmed = added > length;
  return result.end.has_value();
}

}  // namespace

// A read that is with Redis: of one question or two.
struct RedisHistory::UnderWay {
  Waiting read;
  StreamReadResult result;
  std::size_t answers_left = 0;
};

RedisHistory::RedisHistory(asio::io_context& io, const RedisBusOptions& options, JobQueue& queue,
                           OnReadable on_readable, OnIdle on_idle)
    : options_(options),
      queue_(queue),
      on_readable_(std::move(on_readable)),
      on_idle_(std::move(on_idle)),
      installer_([this](const std::vector<std::string_view>& words, Answered on_answer) {
        ask(words, std::move(on_answer));
      }),
      deadline_timer_(io),
      connection_(io, options, "history", *this) {}

void RedisHistory::close() {
  connection_.close();
  deadline_timer_.cancel();
  is_readable_ = false;
  abandon_all("the bus has ended");
}

void RedisHistory::on_up() {
  ask({"INFO", "memory"}, [this](const redisReply* reply) { look_at_memory(reply); });
  if (!options_.installs_function) return set_readable(true);
  installer_.ensure([this](const std::string&) {
    if (connection_.is_up()) set_readable(true);
  });
  connection_.flush();
}

void RedisHistory::on_down() {
  deadline_timer_.cancel();
  set_readable(false);
  abandon_all("the connection to Redis was lost");
}

void RedisHistory::set_readable(bool is_readable) {
  if (std::exchange(is_readable_, is_readable) != is_readable) on_readable_(is_readable);
}

// A policy that evicts takes whole streams, and those with a time to live first.
void RedisHistory::look_at_memory(const redisReply* reply) {
  if (reply == nullptr || reply->type != REDIS_REPLY_STRING) return;
  constexpr std::string_view kField = "maxmemory_policy:";
  std::string_view policy = text_of(*reply);
  const std::size_t at = policy.find(kField);
  if (at == std::string_view::npos) return;
  policy.remove_prefix(at + kField.size());
  policy = policy.substr(0, policy.find_first_of("\r\n"));
  if (policy == "noeviction" || policy == warned_policy_) return;
  warned_policy_ = policy;
  log_warning("redis: maxmemory-policy is " + warned_policy_ +
              ": when its memory is full, Redis deletes the history of whole channels; set it to noeviction");
}

void RedisHistory::ensure_function(FunctionInstaller::Done done) {
  if (!connection_.is_up()) return done("the connection to Redis that installs it is away");
  installer_.ensure(std::move(done));
  connection_.flush();
}

void RedisHistory::read(StreamRead read, Streams::ReadDone done) {
  if (!is_readable_) return complete(done, {.why = "Redis is away"});
  waiting_.push_back({std::move(read), std::move(done)});
}

void RedisHistory::flush() {
  send_reads();
  connection_.flush();
}

void RedisHistory::send_reads() {
  while (!waiting_.empty() && reads_under_way_ < kReadsUnderWayMax) {
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    send(std::move(next));
  }
}

// Asks for the end first: so it is never behind an entry that the other answer lacks.
void RedisHistory::send(Waiting waiting) {
  const auto under_way = std::make_shared<UnderWay>(UnderWay{.read = std::move(waiting), .result = {}});
  StreamReadResult& result = under_way->result;
  const StreamRead& read = under_way->read.read;
  result.outcome = StreamReadResult::Outcome::kRead;
  under_way->answers_left = (read.wants_end ? 1u : 0u) + (read.count > 0 ? 1u : 0u);
  if (under_way->answers_left == 0) return complete(under_way->read.done, std::move(result));
  ++reads_under_way_;

  const std::string key = read.source.kind == StreamSource::Kind::kDurable
                              ? durable_stream_key(options_.prefix + read.channel)
                              : options_.prefix + read.source.key;
  if (read.wants_end) {
    ask({"XINFO", "STREAM", key},
        [this, under_way](const redisReply* reply) { on_part(*under_way, reply, true); });
  }
  if (read.count == 0) return;
  const std::string first = format_stream_id(read.first);
  const std::string last = format_stream_id(read.last);
  const std::string count = std::to_string(read.count);
  const std::string_view command = read.is_downwards ? "XREVRANGE" : "XRANGE";
  const std::string_view from = read.is_downwards ? last : first;
  const std::string_view to = read.is_downwards ? first : last;
  ask({command, key, from, to, "COUNT", count},
      [this, under_way](const redisReply* reply) { on_part(*under_way, reply, false); });
}

// One answer to a read that is with Redis.
void RedisHistory::on_part(UnderWay& under_way, const redisReply* reply, bool is_end) {
  StreamReadResult& result = under_way.result;
  const auto fail = [&](StreamReadResult::Outcome outcome, std::string_view why) {
    if (result.outcome == StreamReadResult::Outcome::kRead)
      result = {.outcome = outcome, .why = std::string(why)};
  };
  const bool may_pass_later =
      reply != nullptr && reply->type == REDIS_REPLY_ERROR && may_pass(text_of(*reply));
  if (reply == nullptr) {
    fail(StreamReadResult::Outcome::kAway, "the connection to Redis was lost");
  } else if (may_pass_later) {
    fail(StreamReadResult::Outcome::kAway, text_of(*reply));
  } else if (reply->type == REDIS_REPLY_ERROR) {
    const bool is_absent = is_end && text_of(*reply).starts_with("ERR no such key");
    if (!is_absent) fail(StreamReadResult::Outcome::kRefused, without_arguments(text_of(*reply)));
  } else if (is_end) {
    if (!take_end(*reply, result))
      fail(StreamReadResult::Outcome::kRefused, "Redis' answer is not that of XINFO STREAM");
  } else {
    auto entries = stream_entries_of(*reply, under_way.read.read.source, options_.limits.message_bytes_max);
    if (entries) {
      result.entries = *std::move(entries);
    } else {
      fail(StreamReadResult::Outcome::kRefused, "Redis' answer is not that of XRANGE");
    }
  }
  const bool is_last = --under_way.answers_left == 0;
  if (is_last) {
    --reads_under_way_;
    if (reply != nullptr) reads_.add();
    complete(under_way.read.done, std::move(result));
  }
  // Redis serves nobody for now (LOADING, BUSY). Who was refused hears of it when it does.
  if (may_pass_later) connection_.fail(text_of(*reply));
}

void RedisHistory::complete(const Streams::ReadDone& done, StreamReadResult result) {
  queue_.finish_read();
  done(std::move(result));
}

void RedisHistory::ask(const std::vector<std::string_view>& words, Answered on_answer) {
  if (!connection_.is_up()) return on_answer(nullptr);
  questions_.push_back({std::chrono::steady_clock::now(), std::move(on_answer)});
  connection_.send(words);
  watch_deadline();
}

void RedisHistory::on_ping_due() {
  ask({"PING"}, [](const redisReply*) {});
}

void RedisHistory::on_reply(const redisReply& reply) {
  if (questions_.empty()) return connection_.fail("an answer to no question");
  const Question question = std::move(questions_.front());
  questions_.pop_front();
  last_answer_ = std::chrono::steady_clock::now();
  round_trips_.observe(last_answer_ - question.sent);
  question.on_answer(&reply);
}

void RedisHistory::on_read() {
  flush();
  on_idle_();
}

void RedisHistory::abandon_all(const char* why) {
  for (Question& question : std::exchange(questions_, {})) question.on_answer(nullptr);
  for (Waiting& waiting : std::exchange(waiting_, {})) complete(waiting.done, {.why = why});
}

// The oldest question has its time since Redis has answered the one before it.
void RedisHistory::watch_deadline() {
  if (is_watching_ || questions_.empty()) return;
  is_watching_ = true;
  deadline_timer_.expires_at(std::max(questions_.front().sent, last_answer_) + options_.publish_timeout);
  deadline_timer_.async_wait([this](asio::error_code error) {
    is_watching_ = false;
    if (error || questions_.empty()) return;
    const auto since = std::max(questions_.front().sent, last_answer_);
    if (std::chrono::steady_clock::now() - since >= options_.publish_timeout) {
      return connection_.fail("no answer within " + std::to_string(options_.publish_timeout.count()) + " ms");
    }
    watch_deadline();
  });
}

}  // namespace weir
