#include "broker/http/connection.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <utility>
#include <vector>

#include "broker/base/metrics.h"
#include "broker/http/client_address.h"

namespace weir {
namespace {

constexpr std::size_t kBodyRoomMin = 64 << 10;

bool may_try_again(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

// The memory of a string outside the object: none for a short one.
std::size_t heap_bytes(const std::string& text) {
  static const std::size_t kWithin = std::string().capacity();
  return text.capacity() > kWithin ? text.capacity() : 0;
}

IpAddress client_address_of(const IpAddress& peer, const Head& head,
                            const std::vector<AddressRange>& trusted) {
  if (trusted.empty()) return peer;
  return client_address(peer, head.joined("x-forwarded-for").value_or(""), trusted);
}

bool is_write(const Head& head) { return head.method == "POST" || head.method == "PUT"; }

// Makes room for `needed` bytes and some more, but never for more than `size_max`. Grows as a
// body arrives, since a client can announce any length for nothing. Not by reserve(), which at
// least doubles the present room.
void grow(std::string& body, std::size_t needed, std::size_t size_max) {
  if (needed <= body.capacity()) return;
  std::string roomier;
  roomier.reserve(std::min(size_max, std::max(2 * needed, kBodyRoomMin)));
  roomier.append(body);
  body.swap(roomier);
}

}  // namespace

Connection::Connection(ConnectionContext& context, std::uint64_t id, int socket, const IpAddress& peer)
    : context_(context),
      id_(id),
      socket_(context.loop, socket),
      peer_(peer),
      network_(peer_network(peer, context.options.trusted_proxies)) {}

void Connection::start() {
  set_deadline(context_.options.head_timeout);
  on_readable();  // Most clients have sent their request by the time they are accepted.
}

void Connection::set_deadline(std::chrono::milliseconds timeout) { deadline_ = Clock::now() + timeout; }

bool Connection::is_idle(Clock::time_point now) const {
  constexpr std::chrono::seconds kFirstRequest{1};
  if (state_ != State::kIdle) return false;
  return !is_new_ || now >= deadline_ - context_.options.head_timeout + kFirstRequest;
}

void Connection::expire() {
  if (state_ == State::kHead || state_ == State::kBody)
    return refuse({408, "the request did not arrive in time",
                   state_ == State::kBody ? Refused::kBodySeconds : Refused::kHeadSeconds});
  close();
}

// The front's map holds the last lasting reference; a pending wait holds another until it is cancelled.
void Connection::close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  socket_.close();
  std::string().swap(held_);
  std::string().swap(output_);
  collecting_.reset();
  away_bytes_ = 0;
  charge();
  context_.owner.forget(id_);
}

// Updates the front's count of this connection's memory. Not kNone if that is too much, and
// this connection must give way.
RequestBudget::Excess Connection::charge() {
  const std::size_t before = charged_;
  charged_ = heap_bytes(held_) + away_bytes_;
  if (collecting_) charged_ += head_bytes_ + heap_bytes(collecting_->request.body);
  if (is_blocked_) charged_ += heap_bytes(output_);
  if (charged_ == before) return RequestBudget::Excess::kNone;
  return context_.owner.charge(*this, before, charged_);
}

// Each request through a proxy may have another client.
void Connection::set_network(const IpAddress& network) {
  if (network == network_) return;
  context_.owner.charge(*this, std::exchange(charged_, 0), 0);
  network_ = network;
}

void Connection::wait_readable() {
  if (is_waiting_) return;
  is_waiting_ = true;
  socket_.wait(asio::ip::tcp::socket::wait_read, [self = shared_from_this()](const std::error_code& error) {
    self->is_waiting_ = false;
    if (error && self->state_ != State::kClosed) self->close();
    if (!error) self->on_readable();
  });
}

void Connection::on_readable() {
  if (!is_collecting() && state_ != State::kLingering) return;
  std::string& scratch = context_.scratch;
  const ssize_t size = socket_.read(scratch.data(), scratch.size());
  if (size < 0 && may_try_again(errno)) return wait_readable();
  // A client that sends no more ends up here too: its request can't become whole.
  if (size <= 0) return close();
  if (state_ == State::kLingering) return wait_readable();
  const std::string_view input(scratch.data(), static_cast<std::size_t>(size));
  pace_.add(input.size());
  if (held_.empty()) return take(input);
  std::string joined = std::exchange(held_, std::string());
  joined.append(input);
  take(joined);
}

// Takes as much of `input` as it can, and keeps the rest.
void Connection::take(std::string_view input) {
  is_taking_ = true;
  while (is_collecting() && !input.empty()) {
    const std::size_t taken = collect(input);
    input.remove_prefix(taken);
    if (taken == 0) break;
  }
  is_taking_ = false;
  if (state_ == State::kLingering || state_ == State::kClosed) return;
  held_.assign(input);
  if (held_.empty()) std::string().swap(held_);
  const auto excess = charge();
  if (excess != RequestBudget::Excess::kNone) return give_way(excess, false);
  if (state_ == State::kBody && !collecting_->request.is_admitted) return check_head();
  if (is_collecting()) wait_readable();
}

void Connection::resume() {
  if (is_taking_) return;  // take() sees the new state.
  if (held_.empty()) return wait_readable();
  const std::string held = std::exchange(held_, std::string());
  take(held);
}

std::size_t Connection::collect(std::string_view input) {
  return state_ == State::kBody ? collect_body(input) : collect_head(input);
}

std::size_t Connection::collect_head(std::string_view input) {
  // Some clients send an empty line after a body (RFC 9112, 2.2).
  if (state_ == State::kIdle && input.substr(0, 2) == "\r\n") return 2;
  if (state_ == State::kIdle) {
    if (input == "\r") return 0;
    state_ = State::kHead;
    scanned_ = 0;
    delivery_ = {};
    set_network(peer_network(peer_, context_.options.trusted_proxies));
    set_deadline(context_.options.head_timeout);
    pace_.begin(Clock::now());
    pace_.add(input.size());
  }
  const HeadEnd end = find_head_end(input, scanned_);
  if (end.state == HeadEnd::State::kRefused) {
    refuse_head({400, "this is not the head of an HTTP/1.1 request, or it holds a bare LF"}, input);
    return 0;
  }
  if (end.size > context_.options.head_bytes_max) {
    refuse_head({431, "the request head is too long: see --head-bytes", Refused::kHeadBytes}, input);
    return 0;
  }
  if (end.state == HeadEnd::State::kIncomplete) {
    scanned_ = static_cast<std::uint32_t>(end.size);
    return 0;
  }
  on_head(input.substr(0, end.size));
  is_continue_due_ =
      state_ == State::kBody && collecting_->request.head.expects_continue && input.size() == end.size;
  return end.size;
}

void Connection::on_head(std::string_view text) {
  collecting_ = std::make_unique<Collecting>();
  Head& head = collecting_->request.head;
  auto refusal = parse_head(text, head);
  delivery_ = {head.is_http_1_0, head.method == "HEAD", head.wants_keep_alive};
  if (refusal) return refuse_head(std::move(*refusal), text);
  if (head.content_length > body_bytes_max()) return refuse_long_body();
  if (!head.has_body()) return dispatch();
  head_bytes_ = static_cast<std::uint32_t>(text.size() + head.headers.capacity() * sizeof(Header));
  collecting_->request.client_address = client_address_of(peer_, head, context_.options.trusted_proxies);
  set_network(client_network(collecting_->request.client_address));
  state_ = State::kBody;
  set_deadline(context_.options.body_timeout);
}

// A GET's body is not read, so it gets no more room than a head.
std::size_t Connection::body_bytes_max() const {
  const FrontOptions& options = context_.options;
  const bool is_read = is_write(collecting_->request.head);
  return is_read ? options.body_bytes_max : std::min(options.body_bytes_max, options.head_bytes_max);
}

void Connection::refuse_long_body() {
  refuse({413,
          is_write(collecting_->request.head)
              ? "the body is too long: see --max-message-bytes"
              : "the body is too long for a request that needs none: see --head-bytes",
          Refused::kTooLarge});
}

// The rest of the body has not come yet: ask whether it may. The pool checks a token, and only once.
void Connection::check_head() {
  state_ = State::kChecking;
  away_bytes_ = charged_;
  Request request = std::move(collecting_->request);
  request.is_whole = false;
  // For a refusal: the start of the next request would be unknown.
  request.keeps_alive = false;
  context_.owner.dispatch(id_, std::move(request));
}

void Connection::on_head_checked(Request request, Answer answer) {
  constexpr int kFirstRefusal = 400;
  if (state_ != State::kChecking) return;
  if (answer.status >= kFirstRefusal) return finish(std::move(answer));
  if (context_.owner.is_winding_down()) return close();
  state_ = State::kBody;
  away_bytes_ = 0;
  collecting_->request = std::move(request);
  collecting_->request.is_whole = true;
  collecting_->request.is_admitted = true;
  const auto now = Clock::now();
  pace_.begin(now);
  pace_.add(collecting_->request.body.size());
  set_deadline(context_.options.body_timeout);
  if (is_continue_due_) send_continue();
  if (state_ == State::kBody) on_readable();
}

// A client that expects it waits about a second before it sends the body. Not needed once the body arrives.
void Connection::send_continue() {
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  // Nothing else waits to be sent to this client, so these 25 bytes fit, or the connection is gone.
  if (socket_.write(kContinue) != ssize_t{kContinue.size()}) close();
}

std::size_t Connection::collect_body(std::string_view input) {
  Request& request = collecting_->request;
  const std::size_t bytes_max = body_bytes_max();
  std::size_t taken = 0;
  bool is_whole = false;
  if (request.head.is_chunked) {
    taken = collecting_->chunks.feed(input, request.body, bytes_max);
    if (collecting_->chunks.state() == ChunkDecoder::State::kRefused) {
      refuse({400, collecting_->chunks.error()});
      return taken;
    }
    if (collecting_->chunks.state() == ChunkDecoder::State::kTooLong) {
      refuse_long_body();
      return taken;
    }
    is_whole = collecting_->chunks.state() == ChunkDecoder::State::kDone;
  } else {
    const auto left = static_cast<std::size_t>(request.head.content_length) - request.body.size();
    taken = std::min(left, input.size());
    grow(request.body, request.body.size() + taken, request.body.size() + left);
    request.body.append(input.substr(0, taken));
    is_whole = taken == left;
  }
  if (const auto excess = charge(); excess != RequestBudget::Excess::kNone) {
    give_way(excess, false);
    return taken;
  }
  if (is_whole) dispatch();
  return taken;
}

void Connection::dispatch() {
  state_ = State::kBusy;
  Request request = std::move(collecting_->request);
  // Its memory is charged until the answer: in the pool, and while the bus confirms.
  if (request.head.has_body()) away_bytes_ = head_bytes_ + heap_bytes(request.body);
  collecting_.reset();
  // Publishers should leave a gateway that drains for another one.
  request.keeps_alive = request.head.wants_keep_alive && !context_.handler.is_draining();
  request.arrived = Clock::now();
  if (!request.head.has_body())
    request.client_address = client_address_of(peer_, request.head, context_.options.trusted_proxies);
  delivery_ = delivery_of(request);
  context_.owner.dispatch(id_, std::move(request));
}

// Refuses a request whose head is no good, or has not come as a whole.
void Connection::refuse_head(Refusal refusal, std::string_view text) {
  collecting_ = std::make_unique<Collecting>();
  collecting_->request.head = head_of_refused(text);
  refuse(std::move(refusal));
}

// Ends the connection, since the start of the next request is unknown.
void Connection::refuse(Refusal refusal, bool is_temporary) {
  Reply reply = error_reply(refusal.status, refusal.detail);
  reply.closes = true;
  reply.refused = refusal.reason;
  if (is_temporary) reply.headers.push_back({"Retry-After", "1"});
  // Lets a page of another origin read the reason.
  const Head head = collecting_ ? std::move(collecting_->request.head) : head_of_refused(held_);
  reply = with_headers(std::move(reply), context_.handler.cors_headers(head));
  collecting_.reset();
  std::string().swap(held_);
  finish(std::move(reply));
}

void Connection::give_way(RequestBudget::Excess excess, bool is_for_others) {
  // The request is whole and will be answered; only the bytes after it are dropped.
  if (state_ == State::kBusy) {
    std::string().swap(held_);
    has_dropped_ = true;
    charge();
    return;
  }
  if (!is_collecting()) {
    context_.metrics.count(Metric::kRefused, refused_name(Refused::kRequestMemorySlowest));
    return close();
  }
  if (excess == RequestBudget::Excess::kOfAddress) {
    return refuse(
        {429,
         "the requests of this address take more than half of --request-memory, and this one is the slowest",
         Refused::kRequestMemoryPerAddress},
        true);
  }
  if (!is_for_others) {
    return refuse(
        {503, "all requests together take too much memory: see --request-memory", Refused::kRequestMemory},
        true);
  }
  refuse(
      {503, "all requests together take too much memory, and this one is the slowest: see --request-memory",
       Refused::kRequestMemorySlowest},
      true);
}

void Connection::finish(Reply reply) { finish(plain_answer(std::move(reply), delivery_)); }

void Connection::finish(Answer answer) {
  if (state_ == State::kClosed) return;
  assert(!answer.later);
  away_bytes_ = 0;
  collecting_.reset();
  if (answer.stream) return open_stream(std::move(answer));
  count(answer);
  closes_ = answer.closes || has_dropped_;
  output_ = std::move(answer.bytes);
  sent_ = 0;
  state_ = State::kSending;
  set_deadline(context_.options.body_timeout);
  pace_.begin(Clock::now());
  charge();
  send_more();
}

void Connection::count(const Answer& answer) const {
  context_.metrics.count(Metric::kRequests, std::to_string(answer.status));
  if (answer.refused) context_.metrics.count(Metric::kRefused, refused_name(*answer.refused));
}

void Connection::open_stream(Answer answer) {
  const int descriptor = socket_.release();
  if (answer.stream->open(descriptor)) {
    count(answer);
    return close();  // It no longer holds a socket.
  }
  socket_.adopt(descriptor);
  finish(answer.stream->refusal());
}

void Connection::send_more() {
  while (sent_ < output_.size()) {
    const ssize_t sent = socket_.write(std::string_view(output_).substr(sent_));
    if (sent < 0 && !may_try_again(errno)) return close();
    if (sent < 0) {
      is_blocked_ = true;
      if (const auto excess = charge(); excess != RequestBudget::Excess::kNone)
        return give_way(excess, false);
      socket_.wait(asio::ip::tcp::socket::wait_write,
                   [self = shared_from_this()](const std::error_code& error) {
                     if (self->state_ != State::kSending) return;
                     error ? self->close() : self->send_more();
                   });
      return;
    }
    sent_ += static_cast<std::size_t>(sent);
    pace_.add(static_cast<std::size_t>(sent));
  }
  on_sent();
}

void Connection::on_sent() {
  std::string().swap(output_);
  is_blocked_ = false;
  charge();
  is_new_ = false;
  if (closes_) return linger();
  state_ = State::kIdle;
  set_deadline(context_.options.keep_alive_timeout);
  if (context_.owner.is_winding_down()) return close();
  resume();
}

// Closing a socket with unread bytes resets the connection, and the client may lose an answer that
// it has not read yet.
void Connection::linger() {
  state_ = State::kLingering;
  std::string().swap(held_);
  charge();
  socket_.shutdown_send();
  set_deadline(context_.options.linger_timeout);
  wait_readable();
}

}  // namespace weir
