#include "publishers/delivery/redis_link.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "redis/redis_command.h"
#include "redis/redis_error.h"
#include "redis/redis_login.h"
#include "redis/redis_reply.h"

namespace weir {
namespace {

constexpr std::size_t kInputBytesMax = 64 << 10;
// After this much silence a PING asks whether the other end is still there.
constexpr std::chrono::seconds kIdleMax{5};

BatchResult stopped() { return {.outcome = Outcome::kStopped, .error = {}}; }

}  // namespace

RedisLink::StopWatch::StopWatch(const RedisLink& link, const std::stop_token& stop) : fd_(link.stop_fd_) {
  callback_.emplace(stop, Wake{fd_});
}

RedisLink::StopWatch::~StopWatch() {
  callback_.reset();
  std::uint64_t count = 0;
  [[maybe_unused]] const auto n = ::read(fd_, &count, sizeof(count));
}

void RedisLink::StopWatch::Wake::operator()() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(fd, &one, sizeof(one));
}

void RedisLink::FreeContext::operator()(redisContext* context) const { redisFree(context); }
void RedisLink::FreeReply::operator()(redisReply* reply) const { freeReplyObject(reply); }

RedisLink::RedisLink(Target target, SinkOptions options)
    : target_(std::move(target)),
      options_(std::move(options)),
      stop_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      input_(kInputBytesMax) {
  assert(stop_fd_ >= 0);
}

RedisLink::~RedisLink() { ::close(stop_fd_); }

RedisLink::WhyNot RedisLink::open() {
  if (!pause({})) return stopped();
  const auto password = read_redis_password(target_.redis, options_.redis_files);
  if (!password) return failure(Outcome::kFailed, password.error().message);
  auto why_not = connect();
  if (!why_not) return log_in(*password);
  close();
  if (why_not->outcome == Outcome::kUnknown) why_not->outcome = Outcome::kFailed;
  return why_not;
}

void RedisLink::close() {
  tls_.reset();
  context_.reset();
  taken_ = received_ = 0;
}

RedisLink::WhyNot RedisLink::connect() {
  const RedisUrl& url = target_.redis;
  const auto deadline = Clock::now() + options_.timeout;
  // Not blocking, so that a stop can end a slow connect.
  context_.reset(url.path.empty() ? redisConnectNonBlock(url.host.c_str(), std::stoi(url.port))
                                  : redisConnectUnixNonBlock(url.path.c_str()));
  if (!context_) return failure(Outcome::kFailed, "out of memory");
  if (context_->err != 0) return failure(Outcome::kFailed, context_->errstr);
  if (auto why_not = await(POLLOUT, deadline, true)) return why_not;
  int error = 0;
  socklen_t size = sizeof(error);
  ::getsockopt(context_->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return failure(Outcome::kFailed, std::strerror(error));
  if (url.path.empty()) redisEnableKeepAlive(context_.get());
  return url.is_tls ? start_tls(deadline) : std::nullopt;
}

RedisLink::WhyNot RedisLink::start_tls(Clock::time_point deadline) {
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

RedisLink::WhyNot RedisLink::log_in(const std::string& password) {
  const auto commands = login_commands(target_.redis, password);
  for (std::size_t i = 0; i < commands.size(); ++i) {
    const std::vector<std::string_view> words(commands[i].begin(), commands[i].end());
    auto answer = ask(words);
    if (auto* why_not = std::get_if<BatchResult>(&answer)) return std::move(*why_not);
    const redisReply& reply = *std::get<Reply>(answer);
    const auto why_not = why_not_logged_in(reply, i + 1 == commands.size());
    if (!why_not) continue;
    const bool is_refused = reply.type == REDIS_REPLY_ERROR && !may_pass(text_of(reply));
    close();
    return failure(is_refused ? Outcome::kRefused : Outcome::kFailed, *why_not);
  }
  return std::nullopt;
}

RedisLink::WhyNot RedisLink::check() {
  // Nothing was asked, so plain bytes mean the end of the connection. TLS may have records of its own.
  pollfd ready{.fd = context_->fd, .events = POLLIN, .revents = 0};
  if (::poll(&ready, 1, 0) > 0 && (!tls_ || receive() || received_ > 0)) {
    close();
    return failure(Outcome::kFailed, "the connection was closed");
  }
  if (Clock::now() - last_answer_ < kIdleMax) return std::nullopt;
  auto answer = ask(std::array<std::string_view, 1>{"PING"});
  if (auto* why_not = std::get_if<BatchResult>(&answer)) return std::move(*why_not);
  const redisReply& reply = *std::get<Reply>(answer);
  const auto why_not = why_not_logged_in(reply, true);
  if (!why_not) return std::nullopt;
  const bool is_refused = reply.type == REDIS_REPLY_ERROR && !may_pass(text_of(reply));
  close();
  return failure(is_refused ? Outcome::kRefused : Outcome::kFailed, *why_not);
}

std::variant<RedisLink::Reply, BatchResult> RedisLink::ask(std::span<const std::string_view> words) {
  std::string bytes;
  append_command(bytes, words);
  const auto deadline = Clock::now() + options_.timeout;
  WhyNot why_not;
  for (std::size_t sent = 0; sent < bytes.size() && !why_not;) {
    why_not = await(POLLOUT, deadline, true);
    if (!why_not) why_not = send(std::string_view(bytes).substr(sent), sent);
  }
  Reply reply;
  // Even if sending failed: an answer before Redis closed gives the better reason, such as that it wants a
  // certificate.
  if (!why_not || why_not->outcome == Outcome::kUnknown) why_not = await_reply(reply, deadline);
  if (reply) return reply;
  close();
  if (why_not->outcome == Outcome::kUnknown) why_not->outcome = Outcome::kFailed;
  return std::move(*why_not);
}

RedisLink::WhyNot RedisLink::await_reply(Reply& reply, Clock::time_point deadline) {
  for (;;) {
    auto why_ended = receive();
    redisReaderFeed(context_->reader, input_.data() + taken_, received_ - taken_);
    taken_ = received_ = 0;
    void* next = nullptr;
    if (redisGetReplyFromReader(context_.get(), &next) != REDIS_OK) {
      return failure(Outcome::kUnknown, context_->errstr);
    }
    reply.reset(static_cast<redisReply*>(next));
    if (reply) {
      last_answer_ = Clock::now();
      return std::nullopt;
    }
    if (why_ended) return why_ended;
    if (auto why_not = await(POLLIN, deadline, true)) return why_not;
  }
}

RedisLink::WhyNot RedisLink::await(short events, Clock::time_point deadline, bool is_stoppable) {
  for (;;) {
    std::array<pollfd, 2> fds{{{context_->fd, events, 0}, {is_stoppable ? stop_fd_ : -1, POLLIN, 0}}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    const int n = ::poll(fds.data(), fds.size(), static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (n < 0 && errno == EINTR) continue;
    if (fds[1].revents != 0) return stopped();
    if (n > 0) return std::nullopt;
    return failure(Outcome::kUnknown, "no answer within " + std::to_string(options_.timeout.count()) + " ms");
  }
}

bool RedisLink::pause(std::chrono::milliseconds time) const {
  pollfd stop{.fd = stop_fd_, .events = POLLIN, .revents = 0};
  return ::poll(&stop, 1, static_cast<int>(time.count())) <= 0;
}

RedisLink::WhyNot RedisLink::send(std::string_view bytes, std::size_t& sent) {
  if (tls_) {
    const auto progress = tls_->write(bytes.data(), bytes.size());
    sent += progress.bytes;
    if (progress.why_ended.empty()) return std::nullopt;
    return failure(Outcome::kUnknown, progress.why_ended);
  }
  const auto n = ::send(context_->fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n >= 0) {
    sent += static_cast<std::size_t>(n);
    return std::nullopt;
  }
  if (errno == EAGAIN || errno == EINTR) return std::nullopt;
  return failure(Outcome::kUnknown, std::strerror(errno));
}

RedisLink::WhyNot RedisLink::receive() {
  std::memmove(input_.data(), input_.data() + taken_, received_ - taken_);
  received_ -= std::exchange(taken_, 0);
  // With TLS until it wants more bytes: poll() knows nothing of those that it holds decrypted.
  while (received_ < input_.size()) {
    char* const to = input_.data() + received_;
    const std::size_t room = input_.size() - received_;
    if (tls_) {
      const auto progress = tls_->read(to, room);
      if (!progress.why_ended.empty()) return failure(Outcome::kUnknown, progress.why_ended);
      if (progress.bytes == 0) return std::nullopt;
      received_ += progress.bytes;
      last_answer_ = Clock::now();
      continue;
    }
    const auto n = ::recv(context_->fd, to, room, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
    if (n < 0) return failure(Outcome::kUnknown, std::strerror(errno));
    if (n == 0) return failure(Outcome::kUnknown, "the connection was closed");
    received_ += static_cast<std::size_t>(n);
    last_answer_ = Clock::now();
    if (static_cast<std::size_t>(n) < room) return std::nullopt;
  }
  return std::nullopt;
}

std::optional<std::string_view> RedisLink::next_line() {
  const char* const begin = input_.data() + taken_;
  const std::string_view waiting(begin, received_ - taken_);
  const auto end = waiting.find('\n');
  if (end == std::string_view::npos) {
    // A line that fills all of the buffer is none of a Redis: it is taken as it is.
    if (waiting.size() < input_.size()) return std::nullopt;
    taken_ = received_;
    return waiting;
  }
  taken_ += end + 1;
  return waiting.substr(0, end > 0 && waiting[end - 1] == '\r' ? end - 1 : end);
}

BatchResult RedisLink::failure(Outcome outcome, const std::string& what) const {
  return {.outcome = outcome, .error = target_.redacted() + ": " + what};
}

}  // namespace weir
