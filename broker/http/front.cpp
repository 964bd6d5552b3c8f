#include "broker/http/front.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <asio/ip/v6_only.hpp>
#include <cassert>
#include <cerrno>
#include <limits>
#include <utility>

#include "broker/base/logging.h"
#include "broker/base/metrics.h"

namespace weir {
namespace {

using asio::ip::tcp;

// The library's own is 5; a burst of reconnects is thousands.
constexpr int kBacklog = 4'096;
// After accepting this many at once the open connections have their turn.
constexpr int kAcceptsMax = 64;
constexpr std::size_t kScratchBytes = 64 << 10;

// The addresses to try for `host`; empty means every address of this machine.
std::vector<tcp::endpoint> endpoints_of(asio::io_context& loop, std::string host, std::uint16_t port,
                                        std::error_code& error) {
  if (host.empty()) return {{tcp::v6(), port}, {tcp::v4(), port}};
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const auto literal = asio::ip::make_address(host, error);
  if (!error) return {{literal, port}};
  std::vector<tcp::endpoint> endpoints;
  for (const auto& entry : tcp::resolver(loop).resolve(host, std::to_string(port), error)) {
    endpoints.push_back(entry.endpoint());
  }
  // Most people mean 127.0.0.1 by "localhost".
  std::stable_partition(endpoints.begin(), endpoints.end(),
                        [](const auto& e) { return e.protocol() == tcp::v4(); });
  return endpoints;
}

std::error_code bind_and_listen(tcp::acceptor& acceptor, const tcp::endpoint& endpoint, bool is_dual_stack) {
  std::error_code error;
  acceptor.close(error);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && is_dual_stack && endpoint.protocol() == tcp::v6()) {
    acceptor.set_option(asio::ip::v6_only(false), error);
  }
  // Linux passes it on to each accepted connection.
  if (!error) acceptor.set_option(tcp::no_delay(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(kBacklog, error);
  if (!error) acceptor.native_non_blocking(true, error);
  return error;
}

// The error of a machine without IPv6. Any other one, such as a port in use, is not healed by half of the addresses.
bool is_without_ipv6(const std::error_code& error) {
  return error.value() == EAFNOSUPPORT || error.value() == EADDRNOTAVAIL;
}

// Without a descriptor, or memory for one, an immediate retry would repeat for ever.
bool is_exhaustion(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

IpAddress ip_address_of(const asio::ip::address& address) {
  return {
      (address.is_v6() ? address.to_v6() : asio::ip::make_address_v6(asio::ip::v4_mapped, address.to_v4()))
          .to_bytes()};
}

// The descriptor number from which on only the last `kept` of the process are left.
int descriptors_max(std::size_t kept) {
  constexpr rlim_t kMost = std::numeric_limits<int>::max();
  rlimit limit{};
  if (kept == 0 || ::getrlimit(RLIMIT_NOFILE, &limit) != 0) return static_cast<int>(kMost);
  const rlim_t descriptors = std::min(limit.rlim_cur, kMost);
  return static_cast<int>(descriptors > kept ? descriptors - kept : 0);
}

}  // namespace

Front::Front(asio::io_context& loop, FrontOptions options, Handler& handler, HttplibEngine& engine,
             Pool& pool, Metrics& metrics)
    : loop_(loop),
      options_(std::move(options)),
      handler_(handler),
      engine_(engine),
      pool_(pool),
      acceptor_(loop),
      accept_timer_(loop),
      sweep_timer_(loop),
      mailbox_(std::make_shared<Mailbox>(loop)),
      context_{loop, options_, handler, metrics, *this, std::string(kScratchBytes, '\0')},
      budget_(options_.request_bytes_max, std::max(options_.request_bytes_max / 2,
                                                   options_.body_bytes_max + 2 * options_.head_bytes_max)) {}

Front::~Front() { close(); }

Result<std::uint16_t> Front::listen(const std::string& host, std::uint16_t port) {
  std::error_code error = std::make_error_code(std::errc::address_not_available);
  for (const tcp::endpoint& endpoint : endpoints_of(loop_, host, port, error)) {
    error = bind_and_listen(acceptor_, endpoint, host.empty());
    if (!error) return acceptor_.local_endpoint().port();
    if (!host.empty() || endpoint.protocol() == tcp::v4()) continue;
    if (!is_without_ipv6(error)) break;
    log_warning("port " + std::to_string(port) +
                ": listening on 0.0.0.0, since there is no IPv6 here: " + error.message());
  }
  const bool is_v6 = host.find(':') != std::string::npos && host.front() != '[';
  return Error{"can't listen on " + (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port) + ": " +
               error.message()};
}

void Front::start() {
  descriptors_max_ = descriptors_max(options_.descriptors_kept);
  accept();
  sweep();
}

void Front::accept() {
  acceptor_.async_wait(tcp::acceptor::wait_read, [this](const std::error_code& error) {
    if (acceptor_.is_open() && error != asio::error::operation_aborted) accept_waiting();
  });
}

void Front::accept_waiting() {
  for (int i = 0; i < kAcceptsMax; ++i) {
    tcp::endpoint peer;
    auto size = static_cast<socklen_t>(peer.capacity());
    const int socket = ::accept4(acceptor_.native_handle(), peer.data(), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket < 0 && is_exhaustion(errno)) return pause_accepting();
    if (socket < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (socket < 0) continue;  // Other errors concern only the connection being accepted.
    peer.resize(size);
    take_connection(socket, ip_address_of(peer.address()));
    // The kernel gives out the lowest free number, so the number tells how many are in use.
    if (socket >= descriptors_max_) return pause_accepting();
  }
  accept();
}

void Front::take_connection(int socket, const IpAddress& peer) {
  const std::uint64_t id = next_id_++;
  const auto connection = std::make_shared<Connection>(context_, id, socket, peer);
  connections_.emplace(id, connection);
  connection_count_.store(connections_.size(), std::memory_order_relaxed);
  connection->start();
}

void Front::pause_accepting() {
  if (accept_pauses_.fetch_add(1, std::memory_order_relaxed) % 600 == 0) {
    log_warning(
        "no descriptor is left for a new connection: accepting pauses; see --max-clients and the limit of "
        "open files");
  }
  // Close connections that only wait for a next request, to make room for others that have one.
  const auto now = Clock::now();
  std::vector<std::shared_ptr<Connection>> idle;
  for (const auto& [id, connection] : connections_) {
    if (connection->is_idle(now)) idle.push_back(connection);
    if (idle.size() == 16) break;
  }
  for (const auto& connection : idle) connection->close();
  accept_timer_.expires_after(options_.accept_pause);
  accept_timer_.async_wait([this](const std::error_code& error) {
    if (error || !acceptor_.is_open()) return;
    has_descriptors() ? accept() : pause_accepting();
  });
}

bool Front::has_descriptors() {
  if (options_.descriptors_kept == 0) return true;  // accept() itself will fail.
  const int next = ::fcntl(acceptor_.native_handle(), F_DUPFD_CLOEXEC, 0);
  if (next >= 0) ::close(next);
  return next >= 0 && next < descriptors_max_;
}

// One timer for all deadlines: they are coarse, and a timer each would cost more than an idle connection.
void Front::sweep() {
  const auto shortest = std::min(
      {options_.head_timeout, options_.body_timeout, options_.keep_alive_timeout, options_.linger_timeout});
  sweep_timer_.expires_after(
      std::clamp(shortest / 4, std::chrono::milliseconds(10), std::chrono::milliseconds(500)));
  sweep_timer_.async_wait([this](const std::error_code& error) {
    if (error) return;
    const auto now = Clock::now();
    std::vector<std::shared_ptr<Connection>> due;  // A connection that closes leaves the map.
    for (const auto& [id, connection] : connections_) {
      connection->fade(now);
      if (connection->is_due(now)) due.push_back(connection);
    }
    for (const auto& connection : due) connection->expire();
    sweep();
  });
}

RequestBudget::Excess Front::charge(Connection& connection, std::size_t before, std::size_t after) {
  const IpAddress network = connection.network();
  budget_.change(network, before, after);
  while (after > before) {
    const auto excess = budget_.excess(network);
    if (excess == RequestBudget::Excess::kNone) break;
    const auto victim = slowest(excess, network);
    // Whole requests that wait for the pool or the bus keep their memory.
    if (victim == nullptr || victim.get() == &connection) return excess;
    victim->give_way(excess);
  }
  return RequestBudget::Excess::kNone;
}

// Looks at each connection, but only when one has to give way.
std::shared_ptr<Connection> Front::slowest(RequestBudget::Excess excess, const IpAddress& network) const {
  const auto now = Clock::now();
  const Connection* slowest = nullptr;
  double least = std::numeric_limits<double>::infinity();
  for (const auto& [id, connection] : connections_) {
    if (!connection->may_give_way()) continue;
    if (excess == RequestBudget::Excess::kOfAddress && !(connection->network() == network)) continue;
    const double pace = connection->bytes_per_second(now);
    if (pace >= least) continue;
    least = pace;
    slowest = connection.get();
  }
  return slowest == nullptr ? nullptr : connections_.at(slowest->id());
}

void Front::dispatch(std::uint64_t connection, Request request) {
  // std::function must be copyable, so the request moves through a shared_ptr that only the job holds.
  auto shared = std::make_shared<Request>(std::move(request));
  if (pool_.submit([this, connection, shared] { run_request(connection, shared); })) return;
  const auto found = connections_.find(connection);
  assert(found != connections_.end());
  const auto kept = found->second;
  Reply reply = handler_.overloaded(shared->head);
  reply.closes |= !shared->is_whole;  // The start of the next request is unknown.
  kept->finish(std::move(reply));
}

// Runs on a thread of the pool.
void Front::run_request(std::uint64_t connection, const std::shared_ptr<Request>& request) {
  auto answer = std::make_shared<Answer>(engine_.run(*request));
  if (!request->is_whole) {
    mailbox_->post([this, connection, answer, request] {
      const auto found = connections_.find(connection);
      if (found == connections_.end()) return;
      const auto kept = found->second;
      kept->on_head_checked(std::move(*request), std::move(*answer));
    });
    return;
  }
  // The body stays charged until the answer, but it is now elsewhere or not needed.
  std::string().swap(request->body);
  if (answer->later) return start_later(connection, *answer);
  mailbox_->post([this, connection, answer] {
    const auto found = connections_.find(connection);
    if (found == connections_.end()) return;  // The client has gone; a stream goes with the answer.
    const auto kept = found->second;
    kept->finish(std::move(*answer));
  });
}

// Runs on a thread of the pool. No thread waits for a later reply: it comes to the front loop by the mailbox,
// which outlives the front.
void Front::start_later(std::uint64_t connection, const Answer& answer) {
  answer.later([this, mailbox = mailbox_, connection](Reply::Make make) {
    mailbox->post([this, connection, make = std::move(make)] { on_made(connection, make); });
  });
}

void Front::on_made(std::uint64_t connection, const Reply::Make& make) {
  Reply reply = make();
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return;  // The client has gone; its message was published all the same.
  const auto kept = found->second;
  kept->finish(std::move(reply));
}

void Front::forget(std::uint64_t connection) {
  connections_.erase(connection);
  connection_count_.store(connections_.size(), std::memory_order_relaxed);
  check_wound_down();
}

void Front::wind_down(std::function<void()> done) {
  std::error_code ignored;
  acceptor_.close(ignored);
  accept_timer_.cancel();
  on_wound_down_ = std::move(done);
  std::vector<std::shared_ptr<Connection>> idle;
  for (const auto& [id, connection] : connections_) {
    if (connection->is_between()) idle.push_back(connection);
  }
  for (const auto& connection : idle) connection->close();
  check_wound_down();
}

void Front::check_wound_down() {
  if (!on_wound_down_ || !connections_.empty()) return;
  std::exchange(on_wound_down_, nullptr)();
}

void Front::close() {
  mailbox_->close();
  on_wound_down_ = nullptr;
  std::error_code ignored;
  acceptor_.close(ignored);
  accept_timer_.cancel();
  sweep_timer_.cancel();
  while (!connections_.empty()) {
    const auto connection = connections_.begin()->second;
    connection->close();
  }
}

}  // namespace weir
