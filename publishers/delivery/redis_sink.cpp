#include "publishers/delivery/redis_sink.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "redis/redis_command.h"
#include "redis/redis_error.h"
#include "redis/redis_login.h"
#include "redis/redis_reply.h"

namespace weir {
namespace {

constexpr std::string_view kEndEnvelope = R"({"type":"weir:end"})";
// After this much silence a PING asks whether the other end is still there. A message sent into a dead
// connection has an unknown outcome; a PING has none.
constexpr std::chrono::seconds kIdleMax{5};
// How long a batch that was sent before a stop may wait for its answers: its outcome is worth knowing.
constexpr std::chrono::seconds kLastAnswerMax{1};

// How long to wait, after a reconnect, for the subscribers of the lost connection, and how often to ask.
constexpr std::chrono::seconds kSubscribersMax{5};
constexpr int kSubscribersPauseMs = 20;

// The result of an exchange without messages: nullopt if it succeeded, else why to go no further.
std::optional<BatchResult> without_messages(BatchResult result) {
  if (result.outcome == Outcome::kPublished) return std::nullopt;
  result.confirmed = result.unknown = 0;
  if (result.outcome == Outcome::kUnknown) result.outcome = Outcome::kFailed;
  return result;
}

// An eventfd that is readable while a stop is requested.
class StopSignal {
 public:
  StopSignal(int fd, const std::stop_token& stop) : fd_(fd) { callback_.emplace(stop, Wake{fd}); }
  ~StopSignal() {
    callback_.reset();
    std::uint64_t count = 0;
    [[maybe_unused]] const auto n = ::read(fd_, &count, sizeof(count));
  }

 private:
  struct Wake {
    int fd;
    void operator()() const {
      const std::uint64_t one = 1;
      [[maybe_unused]] const auto n = ::write(fd, &one, sizeof(one));
    }
  };
  int fd_;
  std::optional<std::stop_callback<Wake>> callback_;
};

}  // namespace

void RedisSink::FreeContext::operator()(redisContext* context) const { redisFree(context); }

RedisSink::RedisSink(Target target, SinkOptions options)
    : target_(std::move(target)),
      options_(std::move(options)),
      stop_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  assert(stop_fd_ >= 0);
}

RedisSink::~RedisSink() { ::close(stop_fd_); }

BatchResult RedisSink::publish(const std::string& channel, std::span<const std::string> payloads,
                               const std::stop_token& stop, const WhileWaiting& while_waiting) {
  assert(!payloads.empty());
  const StopSignal signal(stop_fd_, stop);
  const std::string name = options_.redis_prefix + channel;
  const bool is_new = !context_;
  if (const auto why_not = is_new ? connect(stop) : check_idle_connection()) return *why_not;
  if (is_new && subscribers_ > 0) {
    if (const auto why_not = await_subscribers(name)) return *why_not;
  }
  Exchange exchange;
  exchange.while_waiting = while_waiting;
  for (const auto& payload : payloads) append(exchange, {"PUBLISH", name, payload});
  return run(std::move(exchange));
}

BatchResult RedisSink::publish_end(const std::string& channel, const std::stop_token& stop) {
  const std::string payload(kEndEnvelope);
  return publish(channel, {&payload, 1}, stop, {});
}

std::optional<BatchResult> RedisSink::connect(const std::stop_token& stop) {
  if (stop.stop_requested()) return BatchResult{.outcome = Outcome::kStopped, .error = {}};
  const auto password = read_redis_password(target_.redis, options_.redis_files);
  if (!password) return failure(Outcome::kFailed, password.error().message);
  const auto why_not = open_connection(*password);
  if (!why_not) return std::nullopt;
  disconnect();
  return without_messages(*why_not);
}

std::optional<BatchResult> RedisSink::open_connection(const std::string& password) {
  const RedisUrl& url = target_.redis;
  const auto deadline = Clock::now() + options_.timeout;
  // Not blocking, so that a stop can end a slow connect.
  context_.reset(url.path.empty() ? redisConnectNonBlock(url.host.c_str(), std::stoi(url.port))
                                  : redisConnectUnixNonBlock(url.path.c_str()));
  if (!context_) return failure(Outcome::kFailed, "out of memory");
  if (context_->err != 0) return failure(Outcome::kFailed, context_->errstr);
  if (auto why_not = await_connected(deadline)) return why_not;
  if (url.is_tls) {
    if (auto why_not = start_tls(deadline)) return why_not;
  }
  return greet(password);
}

std::optional<BatchResult> RedisSink::await_connected(Clock::time_point deadline) {
  if (auto why_not = await(POLLOUT, deadline, true)) return why_not;
  int error = 0;
  socklen_t size = sizeof(error);
  ::getsockopt(context_->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return failure(Outcome::kFailed, std::strerror(error));
  if (target_.redis.path.empty()) redisEnableKeepAlive(context_.get());
  return std::nullopt;
}

std::optional<BatchResult> RedisSink::start_tls(Clock::time_point deadline) {
  auto context = make_tls_context(options_.redis_files);
  if (!context) return failure(Outcome::kFailed, context.error().message);
  tls_.emplace(std::move(*context), context_->fd, target_.redis.host);
  for (;;) {
    const auto progress = tls_->handshake();
    if (!progress.why_ended.empty()) return failure(Outcome::kFailed, progress.why_ended);
    if (progress.events == 0) return std::nullopt;
    if (auto why_not = await(progress.events, deadline, true)) return why_not;
  }
}

std::optional<BatchResult> RedisSink::greet(const std::string& password) {
  Exchange exchange;
  exchange.is_login = true;
  for (const RedisWords& words : login_commands(target_.redis, password)) {
    append(exchange, Arguments(words.begin(), words.end()));
  }
  return without_messages(run(std::move(exchange)));
}

// After a restart of Redis the gateways reconnect no sooner than we do. A message published
// before them never reaches them.
std::optional<BatchResult> RedisSink::await_subscribers(const std::string& name) {
  const auto before = subscribers_;
  const auto until = Clock::now() + kSubscribersMax;
  for (;;) {
    Exchange exchange;
    append(exchange, {"PUBSUB", "NUMSUB", name});
    auto why_not = without_messages(run(std::move(exchange)));
    const auto now = std::exchange(subscribers_, before);
    if (why_not) {
      // Without permission to ask, never ask again. The error closed the connection: fail, so that the batch
      // is tried on a new one.
      if (why_not->outcome == Outcome::kRefused) {
        why_not->outcome = Outcome::kFailed;
        subscribers_ = 0;
      }
      return why_not;
    }
    if (now >= before || Clock::now() >= until) return std::nullopt;
    pollfd stop{.fd = stop_fd_, .events = POLLIN, .revents = 0};
    if (::poll(&stop, 1, kSubscribersPauseMs) > 0)
      return BatchResult{.outcome = Outcome::kStopped, .error = {}};
  }
}

std::optional<BatchResult> RedisSink::check_idle_connection() {
  // Nothing was asked, so plain bytes mean the end of the connection. TLS may have records of its own.
  pollfd ready{.fd = context_->fd, .events = POLLIN, .revents = 0};
  if (::poll(&ready, 1, 0) > 0 && (!tls_ || receive())) {
    disconnect();
    return failure(Outcome::kFailed, "the connection was closed");
  }
  if (Clock::now() - last_reply_ < kIdleMax) return std::nullopt;
  Exchange exchange;
  exchange.is_login = true;
  append(exchange, {"PING"});
  return without_messages(run(std::move(exchange)));
}

void RedisSink::append(Exchange& exchange, const Arguments& arguments) {
  append_command(exchange.bytes, arguments);
  exchange.ends.push_back(exchange.bytes.size());
}

BatchResult RedisSink::run(Exchange exchange) {
  auto deadline = Clock::now() + options_.timeout;
  while (exchange.result.confirmed < exchange.ends.size()) {
    const bool has_more = exchange.sent < exchange.bytes.size();
    const auto before = std::pair(exchange.sent, exchange.result.confirmed);
    if (auto why = await(has_more ? POLLIN | POLLOUT : POLLIN, deadline, !exchange.is_last)) {
      if (why->outcome != Outcome::kStopped || exchange.sent == 0) return broken(exchange, *why);
      exchange.is_last = true;
      deadline = std::min(deadline, Clock::now() + kLastAnswerMax);
      continue;
    }
    if (has_more) {
      if (auto why = send_some(exchange)) return broken(exchange, *why);
      if (exchange.sent == exchange.bytes.size() && exchange.while_waiting) {
        std::exchange(exchange.while_waiting, {})();
      }
    }
    if (auto why = take_replies(exchange)) return broken(exchange, *why);
    const bool has_moved = std::pair(exchange.sent, exchange.result.confirmed) != before;
    if (has_moved && !exchange.is_last) deadline = Clock::now() + options_.timeout;
  }
  last_reply_ = Clock::now();
  return exchange.result;
}

std::optional<BatchResult> RedisSink::send_some(Exchange& exchange) {
  const char* const from = exchange.bytes.data() + exchange.sent;
  const std::size_t size = exchange.bytes.size() - exchange.sent;
  if (tls_) {
    const auto progress = tls_->write(from, size);
    exchange.sent += progress.bytes;
    if (progress.why_ended.empty()) return std::nullopt;
    // A reply of Redis before it closed gives the better reason, such as that it wants a certificate.
    if (auto why = take_replies(exchange)) return why;
    return failure(Outcome::kUnknown, progress.why_ended);
  }
  const auto n = ::send(context_->fd, from, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n >= 0) {
    exchange.sent += static_cast<std::size_t>(n);
    return std::nullopt;
  }
  if (errno == EAGAIN || errno == EINTR) return std::nullopt;
  return failure(Outcome::kUnknown, std::strerror(errno));
}

// Reads what has arrived, without waiting.
std::optional<BatchResult> RedisSink::receive() {
  if (!tls_) {
    pollfd ready{.fd = context_->fd, .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, 0) <= 0 || redisBufferRead(context_.get()) == REDIS_OK) return std::nullopt;
    return failure(Outcome::kUnknown, context_->errstr);
  }
  std::array<char, 16 << 10> bytes;
  for (;;) {
    const auto progress = tls_->read(bytes.data(), bytes.size());
    if (!progress.why_ended.empty()) return failure(Outcome::kUnknown, progress.why_ended);
    if (progress.bytes == 0) return std::nullopt;
    redisReaderFeed(context_->reader, bytes.data(), progress.bytes);
  }
}

std::optional<BatchResult> RedisSink::take_replies(Exchange& exchange) {
  if (auto why = receive()) return why;
  for (;;) {
    void* next = nullptr;
    if (redisGetReplyFromReader(context_.get(), &next) != REDIS_OK) {
      return failure(Outcome::kUnknown, context_->errstr);
    }
    if (next == nullptr) return std::nullopt;
    const RedisReplyPtr reply(static_cast<redisReply*>(next));
    if (exchange.is_login) {
      const bool is_ping = exchange.result.confirmed + 1 == exchange.ends.size();
      const auto why_not = why_not_logged_in(*reply, is_ping);
      const bool is_refused = reply->type == REDIS_REPLY_ERROR && !may_pass(text_of(*reply));
      if (why_not) return failure(is_refused ? Outcome::kRefused : Outcome::kFailed, *why_not);
    } else if (reply->type == REDIS_REPLY_ERROR) {
      const std::string error(without_arguments(text_of(*reply)));
      return failure(may_pass(error) ? Outcome::kFailed : Outcome::kRefused, error);
    }
    if (reply->type == REDIS_REPLY_INTEGER) subscribers_ = reply->integer;  // The reply to PUBLISH.
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2) {         // NUMSUB: name, number.
      subscribers_ = reply->element[1]->integer;
    }
    ++exchange.result.confirmed;
  }
}

std::optional<BatchResult> RedisSink::await(short events, Clock::time_point deadline, bool is_stoppable) {
  for (;;) {
    std::array<pollfd, 2> fds{{{context_->fd, events, 0}, {is_stoppable ? stop_fd_ : -1, POLLIN, 0}}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    const int n = ::poll(fds.data(), fds.size(), static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (n < 0 && errno == EINTR) continue;
    if (fds[1].revents != 0) return BatchResult{.outcome = Outcome::kStopped, .error = {}};
    if (n <= 0) {
      return failure(Outcome::kUnknown,
                     "no answer within " + std::to_string(options_.timeout.count()) + " ms");
    }
    return std::nullopt;
  }
}

// Redis executes a command only when its last byte has arrived, so a command that was not wholly sent was not
// published. An error reply to a PUBLISH is about the user, the server or the channel, so it holds for the
// rest of the batch, too.
BatchResult RedisSink::broken(const Exchange& exchange, BatchResult why) {
  disconnect();
  why.confirmed = exchange.result.confirmed;
  const bool is_answered = why.outcome == Outcome::kRefused || why.outcome == Outcome::kFailed;
  const auto sent = static_cast<std::size_t>(
      std::upper_bound(exchange.ends.begin(), exchange.ends.end(), exchange.sent) - exchange.ends.begin());
  why.unknown = is_answered ? 0 : sent - why.confirmed;
  if (why.outcome == Outcome::kUnknown && why.unknown == 0) why.outcome = Outcome::kFailed;
  if (exchange.is_last) why.outcome = Outcome::kStopped;
  return why;
}

void RedisSink::disconnect() {
  tls_.reset();
  context_.reset();
}

BatchResult RedisSink::failure(Outcome outcome, const std::string& what) const {
  return {.outcome = outcome, .error = target_.redacted() + ": " + what};
}

}  // namespace weir
