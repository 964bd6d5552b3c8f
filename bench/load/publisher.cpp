#include "bench/load/publisher.h"

#include <hiredis/hiredis.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <utility>

#include "bench/load/stamp.h"
#include "process/thread.h"

namespace weir::bench {

namespace {

constexpr std::size_t kOutBytesMax = 256 << 10;
constexpr std::size_t kReadBytes = 64 << 10;
constexpr std::int64_t kLongestWaitNs = 100'000'000;

struct ReaderDeleter {
  void operator()(redisReader* reader) const { redisReaderFree(reader); }
};

void append_command(std::string& out, std::initializer_list<std::string_view> arguments) {
  out += '*' + std::to_string(arguments.size()) + "\r\n";
  for (const std::string_view argument : arguments) {
    out += '$' + std::to_string(argument.size()) + "\r\n";
    out += argument;
    out += "\r\n";
  }
}

// Bytes of the first whole response in `text`, 0 if it is not whole yet; its status line in `status`.
std::size_t whole_response(const std::string& text, std::string& status) {
  const std::size_t head = text.find("\r\n\r\n");
  if (head == std::string::npos) return 0;
  status = text.substr(0, text.find("\r\n"));
  std::size_t body = 0;
  for (const char* name : {"\r\nContent-Length: ", "\r\ncontent-length: "}) {
    const std::size_t at = text.find(name);
    if (at < head) body = std::stoul(text.substr(at + std::strlen(name), 20));
  }
  return text.size() >= head + 4 + body ? head + 4 + body : 0;
}

}  // namespace

struct Publisher::Connection {
  int fd = -1;
  std::string out;
  std::size_t sent = 0;
  std::size_t unanswered = 0;
  std::string in;                                      // http.
  std::unique_ptr<redisReader, ReaderDeleter> reader;  // redis.
};

Publisher::Publisher(Plan plan, Progress& progress)
    : plan_(std::move(plan)), progress_(progress), wakes_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  const bool is_redis = plan_.address.scheme == "redis";
  connections_.resize(is_redis ? 1 : plan_.http_connections);
  for (Connection& connection : connections_) {
    if (is_redis) connection.reader.reset(redisReaderCreate());
    connection.fd = connect_to(plan_.address, 0, 0);
    if (connection.fd < 0) error_ = std::string("connect: ") + std::strerror(errno);
  }
  thread_ = start_thread("load-publish", [this] { run(); });
}

Publisher::~Publisher() {
  stop();
  for (const Connection& connection : connections_) {
    if (connection.fd >= 0) ::close(connection.fd);
  }
  ::close(wakes_);
}

void Publisher::wake() {
  if (!is_waiting_.load(std::memory_order_seq_cst) || !progress_.is_half_free()) return;
  const std::uint64_t one = 1;
  (void)!::write(wakes_, &one, sizeof one);
}

std::string Publisher::stop() {
  is_stopped_ = true;
  const std::uint64_t one = 1;
  (void)!::write(wakes_, &one, sizeof one);
  if (thread_.joinable()) thread_.join();
  return error_;
}

void Publisher::run() {
  std::vector<pollfd> polled(connections_.size() + 1);
  std::int64_t stopped_ns = 0;
  // Waits to the microsecond, not to the 50 of the default: at 5,000 messages a second one is due each 200.
  ::prctl(PR_SET_TIMERSLACK, 1'000UL, 0UL, 0UL, 0UL);
  start_ns_ = now_ns();
  while (error_.empty()) {
    if (!is_stopped_) {
      fill();
    } else {
      constexpr std::int64_t kAnswersWithin = 5'000'000'000;
      if (stopped_ns == 0) stopped_ns = now_ns();
      const bool is_answered =
          std::ranges::all_of(connections_, [](const Connection& c) { return c.unanswered == 0; });
      if (is_answered || now_ns() - stopped_ns > kAnswersWithin) return;
    }
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      if (connections_[i].sent < connections_[i].out.size()) send(connections_[i]);
      const bool has_more = connections_[i].sent < connections_[i].out.size();
      polled[i] = {connections_[i].fd, static_cast<short>(POLLIN | (has_more ? POLLOUT : 0)), 0};
    }
    polled.back() = {wakes_, POLLIN, 0};
    // A message that is completed between the look and the wait is one that wake() still tells of.
    is_waiting_.store(true, std::memory_order_seq_cst);
    const bool is_full = !progress_.can_publish();
    const timespec timeout{0, is_full || is_stopped_ ? kLongestWaitNs : wait_ns()};
    ::ppoll(polled.data(), polled.size(), &timeout, nullptr);
    is_waiting_.store(false, std::memory_order_relaxed);
    std::uint64_t wakes = 0;
    if (polled.back().revents != 0) (void)!::read(wakes_, &wakes, sizeof wakes);
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      if (polled[i].revents & (POLLIN | POLLERR | POLLHUP)) receive(connections_[i]);
    }
  }
}

std::int64_t Publisher::due_ns() const {
  if (plan_.rate <= 0) return now_ns();
  return start_ns_ + std::llround(static_cast<double>(progress_.published()) * 1e9 / plan_.rate);
}

std::int64_t Publisher::wait_ns() const {
  if (plan_.rate <= 0) return kLongestWaitNs;
  return std::clamp<std::int64_t>(due_ns() - now_ns(), 0, kLongestWaitNs);
}

void Publisher::fill() {
  const bool is_redis = plan_.address.scheme == "redis";
  for (Connection& connection : connections_) {
    if (connection.sent == connection.out.size()) connection.out.clear(), connection.sent = 0;
    while (connection.out.size() < kOutBytesMax && (is_redis || connection.unanswered == 0)) {
      const std::int64_t due = due_ns();
      if (!progress_.can_publish() || due > now_ns()) return;
      const std::uint64_t sequence = progress_.published();
      const std::string payload = make_payload(plan_.payload_bytes, {sequence, due});
      const std::string& channel = plan_.channels[sequence % plan_.channels.size()];
      progress_.publish_next();
      ++connection.unanswered;
      if (is_redis && plan_.is_durable) {
        append_command(connection.out, {"FCALL", "weir_publish", "1", "weir:{" + channel + "}", payload});
      } else if (is_redis) {
        append_command(connection.out, {"PUBLISH", channel, payload});
      } else {
        connection.out +=
            "POST " + path_of(plan_.address, channel) + " HTTP/1.1\r\nHost: " + plan_.address.host +
            "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(payload.size()) +
            "\r\n\r\n" + payload;
      }
    }
  }
}

void Publisher::send(Connection& connection) {
  const ssize_t size = ::send(connection.fd, connection.out.data() + connection.sent,
                              connection.out.size() - connection.sent, MSG_NOSIGNAL);
  if (size >= 0) {
    connection.sent += static_cast<std::size_t>(size);
  } else if (errno != EAGAIN && errno != EINTR) {
    error_ = std::string("publishing: send: ") + std::strerror(errno);
  }
}

void Publisher::receive(Connection& connection) {
  char buffer[kReadBytes];
  const ssize_t size = ::recv(connection.fd, buffer, sizeof buffer, 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) {
    error_ = size == 0 ? "publishing: the connection was closed"
                       : std::string("publishing: ") + std::strerror(errno);
    return;
  }
  std::uint64_t answers = 0;
  if (connection.reader) {
    redisReaderFeed(connection.reader.get(), buffer, static_cast<std::size_t>(size));
    void* reply = nullptr;
    while (redisReaderGetReply(connection.reader.get(), &reply) == REDIS_OK && reply != nullptr) {
      const auto* typed = static_cast<const redisReply*>(reply);
      // An id from the function, else the number of subscribers.
      if (typed->type != (plan_.is_durable ? REDIS_REPLY_STRING : REDIS_REPLY_INTEGER))
        error_ = "publishing: " + std::string(typed->str ? typed->str : "?");
      freeReplyObject(reply);
      ++answers;
    }
  } else {
    connection.in.append(buffer, static_cast<std::size_t>(size));
    std::string status;
    while (const std::size_t whole = whole_response(connection.in, status)) {
      if (!status.starts_with("HTTP/1.1 2")) error_ = "publishing: " + status;
      connection.in.erase(0, whole);
      ++answers;
    }
  }
  connection.unanswered -= std::min<std::size_t>(answers, connection.unanswered);
  answered_.fetch_add(answers, std::memory_order_relaxed);
}

}  // namespace weir::bench
