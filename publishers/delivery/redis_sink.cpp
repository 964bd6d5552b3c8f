#include "publishers/delivery/redis_sink.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <utility>
#include <variant>

#include "proto/stream_id.h"
#include "redis/publish_function.h"
#include "redis/redis_command.h"
#include "redis/redis_error.h"
#include "redis/redis_reply.h"

namespace weir {
namespace {

constexpr std::string_view kEndEnvelope = R"({"type":"weir:end"})";
// How long a batch that was sent before a stop may wait for its answers: its outcome is worth knowing.
constexpr std::chrono::seconds kLastAnswerMax{1};

// How often to ask for the subscribers of the lost connection.
constexpr std::chrono::milliseconds kSubscribersPause{20};

// A batch is kept in memory of this size at most until the next one.
constexpr std::size_t kKeptBytesMax = 1 << 20;

constexpr std::size_t kTlsRecordBytesMax = 16 << 10;

// "ERR unknown command 'FCALL', …"; Redis 6 has backticks there.
bool is_without_functions(std::string_view error) {
  return error.starts_with("ERR unknown command") && error.find("FCALL") != std::string_view::npos;
}

}  // namespace

RedisSink::RedisSink(const Target& target, const SinkOptions& options)
    : options_(options),
      payload_bytes_max_(options.durable ? std::min(options.message_bytes_max, kPublishPayloadBytesMax)
                                         : options.message_bytes_max),
      link_(target, options) {}

BatchResult RedisSink::publish(const std::string& channel, const Messages& messages,
                               const std::stop_token& stop, const WhileWaiting& while_waiting) {
  assert(messages.size() > 0);
  const auto payloads = messages.payloads();
  const auto large = std::find_if(payloads.begin(), payloads.end(), [this](const std::string& payload) {
    return payload.size() > payload_bytes_max_;
  });
  const auto sendable = static_cast<std::size_t>(large - payloads.begin());
  const auto too_large = [&] {
    return link_.failure(Outcome::kTooLarge, "a message of " + std::to_string(large->size()) +
                                                 " bytes; Redis takes " + std::to_string(payload_bytes_max_));
  };
  if (sendable == 0) return too_large();
  const RedisLink::StopWatch watch(link_, stop);
  const std::string name = options_.redis_prefix + channel;
  if (link_.is_open()) {
    if (auto why_not = link_.check()) return *why_not;
  } else {
    if (auto why_not = link_.open()) return *why_not;
    has_function_ = false;
    subscribers_.reconnect();
    subscribers_deadline_ = Clock::now() + options_.subscribers_wait;
  }
  if (!options_.durable && subscribers_.awaited(name) > 0) {
    if (auto why_not = await_subscribers(name)) return *why_not;
  }
  BatchResult result = send(name, messages.part(0, sendable), while_waiting);
  // A message may have come to Redis and not be answered: then a new connection is asked.
  if (result.outcome != Outcome::kPublished) link_.close();
  if (!options_.durable && result.confirmed > 0) subscribers_.set(name, pipeline_.subscribers);
  if (pipeline_.bytes.capacity() > kKeptBytesMax) pipeline_.bytes = std::string();
  if (result.outcome != Outcome::kPublished || large == payloads.end()) return result;
  const auto [confirmed, known] = std::pair(result.confirmed, result.known);
  result = too_large();
  result.confirmed = confirmed;
  result.known = known;
  return result;
}

BatchResult RedisSink::publish_end(const std::string& channel, const std::string& key,
                                   const std::stop_token& stop) {
  const std::string payload(kEndEnvelope);
  return publish(channel, Messages({&payload, 1}, {&key, 1}), stop, {});
}

BatchResult RedisSink::send(const std::string& name, const Messages& messages,
                            const WhileWaiting& while_waiting) {
  if (!options_.durable || has_function_ || messages.size() == 1) {
    fill(name, messages);
    BatchResult result = run(while_waiting);
    has_function_ |= result.confirmed > 0;
    return result;
  }
  BatchResult first = send(name, messages.part(0, 1), {});
  if (first.outcome != Outcome::kPublished) return first;
  BatchResult rest = send(name, messages.part(1, messages.size() - 1), while_waiting);
  rest.confirmed += first.confirmed;
  rest.known += first.known;
  return rest;
}

// After a restart of Redis the gateways reconnect no sooner than we do. A message published
// before them never reaches them.
RedisSink::WhyNot RedisSink::await_subscribers(const std::string& name) {
  while (Clock::now() < subscribers_deadline_) {
    auto answer = link_.ask(std::array<std::string_view, 3>{"PUBSUB", "NUMSUB", name});
    if (auto* why_not = std::get_if<BatchResult>(&answer)) return std::move(*why_not);
    const redisReply& reply = *std::get<RedisLink::Reply>(answer);
    const bool is_number = reply.type == REDIS_REPLY_ARRAY && reply.elements == 2;
    // Without permission to ask, don't ask again on this connection.
    if (!is_number) subscribers_deadline_ = {};
    if (!is_number || reply.element[1]->integer >= subscribers_.awaited(name)) break;
    if (!link_.pause(kSubscribersPause)) return BatchResult{.outcome = Outcome::kStopped, .error = {}};
  }
  subscribers_.settle(name);
  return std::nullopt;
}

// Hot path: once per message.
void RedisSink::fill(const std::string& name, const Messages& messages) {
  Pipeline& pipeline = pipeline_;
  pipeline.bytes.clear();
  pipeline.ends.clear();
  if (options_.durable) {
    fill_durable(name, messages);
  } else {
    const std::array<std::string_view, 2> words{"PUBLISH", name};
    std::string begin = command_header(words.size() + 1);
    for (const std::string_view word : words) append_word(begin, word);
    for (const std::string& payload : messages.payloads()) {
      pipeline.bytes += begin;
      append_word(pipeline.bytes, payload);
      pipeline.ends.push_back(pipeline.bytes.size());
    }
  }
  pipeline.limit = pipeline.bytes.size();
  pipeline.sent = pipeline.answered = pipeline.confirmed = pipeline.confirmed_end = 0;
  pipeline.known = pipeline.reply_lines = 0;
  pipeline.refusal.reset();
}

// FCALL weir_publish 1 <stream> <payload> [<messages> <seconds> [<idempotency key> verbose]]. What is not needed is left
// out, since Redis takes longer for each word.
void RedisSink::fill_durable(const std::string& name, const Messages& messages) {
  Pipeline& pipeline = pipeline_;
  const bool has_keys = messages.has_keys();
  const bool has_limits = has_keys || *options_.durable != DurableLimits{};
  const std::string stream = durable_stream_key(name);
  std::string before = command_header(5 + (has_limits ? 2 : 0) + (has_keys ? 2 : 0));
  for (const std::string_view word :
       {std::string_view("FCALL"), kPublishFunctionName, std::string_view("1"), std::string_view(stream)}) {
    append_word(before, word);
  }
  std::string limits;
  if (has_limits) {
    append_word(limits, std::to_string(options_.durable->messages));
    append_word(limits, std::to_string(options_.durable->seconds));
  }
  for (std::size_t i = 0; i < messages.size(); ++i) {
    pipeline.bytes += before;
    append_word(pipeline.bytes, messages.payload(i));
    pipeline.bytes += limits;
    if (has_keys) {
      append_word(pipeline.bytes, messages.key(i));
      append_word(pipeline.bytes, "verbose");
    }
    pipeline.ends.push_back(pipeline.bytes.size());
  }
  pipeline.is_verbose = has_keys;
}

BatchResult RedisSink::run(const WhileWaiting& while_waiting) {
  Pipeline& pipeline = pipeline_;
  bool is_last = false;  // A stop was requested after something was sent.
  auto deadline = Clock::now() + options_.timeout;
  while (pipeline.sent < pipeline.limit || pipeline.answered < pipeline.sent_commands()) {
    const bool has_more = pipeline.sent < pipeline.limit;
    const auto before = std::pair(pipeline.sent, pipeline.answered);
    auto why = link_.await(has_more ? POLLIN | POLLOUT : POLLIN, deadline, !is_last);
    if (why && why->outcome == Outcome::kStopped && pipeline.sent > 0) {
      is_last = true;
      deadline = std::min(deadline, Clock::now() + kLastAnswerMax);
      continue;
    }
    if (!why && has_more) {
      why = link_.send(std::string_view(pipeline.bytes).substr(0, pipeline.limit).substr(pipeline.sent),
                       pipeline.sent);
      const bool is_all_sent = !why && pipeline.sent == pipeline.bytes.size();
      if (is_all_sent && while_waiting) while_waiting();
    }
    // Even if sending failed: an answer before Redis closed gives the better reason.
    if (!why || why->outcome == Outcome::kUnknown) {
      if (auto better = take_replies()) why = std::move(better);
    }
    if (why) {
      if (is_last) why->outcome = Outcome::kStopped;
      return result(std::move(why));
    }
    const bool has_moved = std::pair(pipeline.sent, pipeline.answered) != before;
    if (has_moved && !is_last) deadline = Clock::now() + options_.timeout;
  }
  return result(std::nullopt);
}

RedisSink::WhyNot RedisSink::take_replies() {
  auto why_ended = link_.receive();
  while (const auto line = link_.next_line()) {
    if (auto why = take_reply(*line)) return why;
  }
  return why_ended;
}

RedisSink::WhyNot RedisSink::take_reply(std::string_view line) {
  Pipeline& pipeline = pipeline_;
  const bool is_awaited = pipeline.answered < pipeline.sent_commands();
  if (line.starts_with('-') && pipeline.reply_lines == 0) {
    const std::string error(without_arguments(line.substr(1)));
    // Redis reads the length of a message before the message, so this may come before all of it is sent.
    if (is_too_large(error)) return link_.failure(Outcome::kTooLarge, error);
    if (is_awaited) {
      ++pipeline.answered;
      if (pipeline.refusal) return std::nullopt;
      pipeline.refusal = refusal(error);
      // The command under way must be sent to its end, and no other is begun. TLS also wants to be offered
      // again the record that it could not write yet.
      const std::size_t begun = std::min(pipeline.sent + kTlsRecordBytesMax, pipeline.bytes.size());
      pipeline.limit = *std::lower_bound(pipeline.ends.begin(), pipeline.ends.end(), begun);
      return std::nullopt;
    }
  }
  if (is_awaited && confirms(line)) {
    if (pipeline.reply_lines > 0) return std::nullopt;
    pipeline.confirmed_end = ++pipeline.answered;
    if (!pipeline.refusal) ++pipeline.confirmed;
    return std::nullopt;
  }
  return link_.failure(Outcome::kUnknown, std::string("the answer is not that of a Redis to ") +
                                              (options_.durable ? "FCALL weir_publish" : "PUBLISH"));
}

bool RedisSink::confirms(std::string_view line) {
  if (options_.durable) return confirms_durable(line);
  long long subscribers = 0;
  const char* const end = line.data() + line.size();
  if (!line.starts_with(':')) return false;
  const auto [parsed, code] = std::from_chars(line.data() + 1, end, subscribers);
  if (code != std::errc() || parsed != end) return false;
  pipeline_.subscribers = subscribers;
  return true;
}

// The id, "$21" and "1796058343158023095-1"; of a verbose call "*2", the id, and ":0" or ":1".
bool RedisSink::confirms_durable(std::string_view line) {
  Pipeline& pipeline = pipeline_;
  const std::size_t id_line = pipeline.is_verbose ? 2 : 1;
  const std::size_t number = pipeline.reply_lines++;
  if (number == id_line) {
    if (!pipeline.is_verbose) pipeline.reply_lines = 0;
    return parse_stream_id(line).has_value();
  }
  if (number + 1 == id_line) return line.starts_with('$');
  if (number < id_line) return line == "*2";
  pipeline.reply_lines = 0;
  if (line == ":1" && !pipeline.refusal) ++pipeline.known;
  return line == ":0" || line == ":1";
}

BatchResult RedisSink::refusal(const std::string& error) const {
  if (options_.durable && is_function_missing(error)) {
    return link_.failure(
        Outcome::kFailed,
        "the function weir_publish is not installed; a gateway with a durable channel does that, or "
        "weir-broker --print-function | redis-cli -x FUNCTION LOAD REPLACE");
  }
  if (options_.durable && is_without_functions(error)) {
    return link_.failure(Outcome::kRefused, "a durable channel needs Redis 7: " + error);
  }
  return link_.failure(may_pass(error) ? Outcome::kFailed : Outcome::kRefused, error);
}

// Redis executes a command only when its last byte has arrived, so a command that was not wholly sent was not
// published.
BatchResult RedisSink::result(WhyNot why) const {
  const Pipeline& pipeline = pipeline_;
  const bool is_large = why && why->outcome == Outcome::kTooLarge;
  // Redis reads nothing behind a message that is too large.
  const std::size_t unanswered = !why || is_large ? 0 : pipeline.sent_commands() - pipeline.answered;
  BatchResult result{.error = {}};
  if (why) result = std::move(*why);
  if (pipeline.refusal && result.outcome != Outcome::kStopped) result = *pipeline.refusal;
  result.confirmed = pipeline.confirmed;
  result.known = pipeline.known;
  const std::size_t end = unanswered > 0 ? pipeline.sent_commands() : pipeline.confirmed_end;
  result.unknown = std::max(end, pipeline.confirmed) - pipeline.confirmed;
  if (result.outcome == Outcome::kUnknown && result.unknown == 0) result.outcome = Outcome::kFailed;
  return result;
}

std::size_t RedisSink::Pipeline::sent_commands() const {
  if (sent == bytes.size()) return ends.size();
  return static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), sent) - ends.begin());
}

}  // namespace weir
