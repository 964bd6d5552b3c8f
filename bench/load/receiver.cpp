#include "bench/load/receiver.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <set>
#include <utility>

#include "process/thread.h"

namespace weir::bench {

namespace {

constexpr std::size_t kReadBytes = 128 << 10;
constexpr int kStalledReceiveBuffer = 4'096;

void add(std::atomic<std::uint64_t>& count, std::uint64_t more) {
  count.store(count.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}

}  // namespace

struct Receiver::Connection {
  int fd = -1;
  Client client;
  bool is_connected = false;
  bool is_open = false;
  std::uint64_t next = 0;                            // The sequence of the message that it should get next.
  std::unique_ptr<std::set<std::uint64_t>> missing;  // Messages that a later one came without.
  ResponseReader response;
  StampScanner scanner;
};

Receiver::Receiver(Plan plan, Progress& progress, std::function<void()> on_completed)
    : plan_(std::move(plan)),
      progress_(progress),
      on_completed_(std::move(on_completed)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      buffer_(kReadBytes),
      measured_from_ns_(std::numeric_limits<std::int64_t>::max()),
      thread_(start_thread("load-receive", [this] { run(); })) {}

Receiver::~Receiver() {
  stop();
  for (const auto& connection : connections_) {
    if (connection->fd >= 0) ::close(connection->fd);
  }
  ::close(epoll_);
}

Received Receiver::received() const {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  Received received;
  received.opened = counts_.opened.load(kRelaxed);
  received.failed = counts_.failed.load(kRelaxed);
  received.closed = counts_.closed.load(kRelaxed);
  received.deliveries = counts_.deliveries.load(kRelaxed);
  received.lost = counts_.lost.load(kRelaxed);
  received.late = counts_.late.load(kRelaxed);
  received.wrong = counts_.wrong.load(kRelaxed);
  received.bytes = counts_.bytes.load(kRelaxed);
  return received;
}

void Receiver::stop() {
  is_stopped_ = true;
  if (thread_.joinable()) thread_.join();
}

void Receiver::run() {
  std::array<epoll_event, 512> events;
  while (!is_stopped_.load(std::memory_order_relaxed)) {
    while (connecting_ < plan_.connecting_max && connections_.size() < plan_.clients.size()) open_next();
    const int count = ::epoll_wait(epoll_, events.data(), events.size(), 50);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      on_event(*static_cast<Connection*>(event.data.ptr), event.events);
    }
    if (std::exchange(has_completed_, false)) on_completed_();
  }
}

void Receiver::open_next() {
  const std::size_t index = connections_.size();
  Connection& connection = *connections_.emplace_back(std::make_unique<Connection>());
  connection.client = plan_.clients[index];
  connection.next = connection.client.channel;
  const auto source = plan_.first_source + static_cast<unsigned>(index % 16);
  connection.fd = connect_to(plan_.address, source, connection.client.is_stalled ? kStalledReceiveBuffer : 0);
  ++connecting_;
  if (connection.fd < 0) return fail(connection, std::string("connect: ") + std::strerror(errno));
  epoll_event event{EPOLLIN | EPOLLOUT, {.ptr = &connection}};
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event);
}

void Receiver::on_event(Connection& connection, std::uint32_t events) {
  if (connection.fd < 0) return;
  if (!connection.is_connected) {
    if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) on_connected(connection);
    return;
  }
  // Of what is left, by one that filled the buffer or before an end, nothing more is told.
  const bool is_ending = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  while (read(connection) || (is_ending && connection.fd >= 0 && !connection.client.is_stalled)) {
  }
}

void Receiver::on_connected(Connection& connection) {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(connection.fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return fail(connection, std::string("connect: ") + std::strerror(error));
  connection.is_connected = true;
  const std::string request = "GET " + plan_.paths[connection.client.channel] +
                              " HTTP/1.1\r\nHost: " + plan_.address.host +
                              "\r\nAccept: text/event-stream\r\n\r\n";
  // Far smaller than an empty send buffer.
  if (::send(connection.fd, request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return fail(connection, std::string("send: ") + std::strerror(errno));
  }
  // Told of each arrival once: otherwise the kernel would look at every connection again after it was read.
  epoll_event event{EPOLLIN | EPOLLRDHUP | EPOLLET, {.ptr = &connection}};
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event);
}

bool Receiver::read(Connection& connection) {
  const ssize_t size = ::recv(connection.fd, buffer_.data(), buffer_.size(), 0);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return errno == EINTR;
  if (size <= 0) {
    if (connection.is_open) {
      add(counts_.closed, 1);
      close(connection);
    } else {
      fail(connection, "closed before a response came");
    }
    return false;
  }
  add(counts_.bytes, static_cast<std::uint64_t>(size));
  const std::int64_t now = now_ns();
  const bool is_well = connection.response.read(
      std::string_view(buffer_.data(), static_cast<std::size_t>(size)), [&](std::string_view piece) {
        connection.scanner.scan(piece, [&](const Stamp& stamp) { on_stamp(connection, stamp, now); });
      });
  if (!is_well) {
    fail(connection, "not a response of status 200: " + connection.response.head().substr(0, 200));
    return false;
  }
  if (!connection.is_open && connection.response.has_head()) {
    connection.is_open = true;
    --connecting_;
    add(counts_.opened, 1);
    // From here on it is there and takes nothing.
    if (connection.client.is_stalled) {
      ::epoll_ctl(epoll_, EPOLL_CTL_DEL, connection.fd, nullptr);
      return false;
    }
  }
  if (connection.response.has_ended()) {
    add(counts_.closed, 1);
    close(connection);
    return false;
  }
  return static_cast<std::size_t>(size) == buffer_.size();
}

void Receiver::on_stamp(Connection& connection, const Stamp& stamp, std::int64_t now) {
  if (connection.client.is_stalled) return;
  if (stamp.sequence % progress_.channels() != connection.client.channel) return add(counts_.wrong, 1);
  if (stamp.sequence < connection.next) return on_stamp_before(connection, stamp.sequence);
  for (; connection.next < stamp.sequence; connection.next += progress_.channels()) {
    if (!connection.missing) connection.missing = std::make_unique<std::set<std::uint64_t>>();
    connection.missing->insert(connection.next);
    add(counts_.lost, 1);
    has_completed_ |= progress_.received(connection.next);
  }
  connection.next += progress_.channels();
  has_completed_ |= progress_.received(stamp.sequence);
  add(counts_.deliveries, 1);
  if (stamp.due_ns >= measured_from_ns_.load(std::memory_order_relaxed)) latencies_.add(now - stamp.due_ns);
}

void Receiver::on_stamp_before(Connection& connection, std::uint64_t sequence) {
  if (!connection.missing || connection.missing->erase(sequence) == 0) return add(counts_.wrong, 1);
  add(counts_.lost, ~std::uint64_t{0});  // One less.
  add(counts_.late, 1);
  add(counts_.deliveries, 1);
}

void Receiver::fail(Connection& connection, const std::string& reason) {
  if (first_error_.empty()) first_error_ = reason;
  add(counts_.failed, 1);
  if (!connection.is_open) --connecting_;
  close(connection);
}

void Receiver::close(Connection& connection) {
  if (connection.fd >= 0) ::close(connection.fd);
  connection.fd = -1;
}

}  // namespace weir::bench
