#include "broker/fanout/client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <string>
#include <utility>

#include "broker/fanout/shard.h"

namespace weir {

namespace {

// After so many reads a client lets the others have their turn.
constexpr int kRoundsMax = 8;
// How long the peer's own close is awaited after the end of the body: closing with unread bytes in the
// receive buffer would reset the connection and take the end away from it.
constexpr std::chrono::milliseconds kLinger{1'000};

bool may_try_again(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

Client::Client(Shard& shard, ClientStart start)
    : shard_(shard),
      socket_(shard.loop()),
      start_(std::make_unique<ClientStart>(std::move(start))),
      lease_(std::move(start_->lease)),
      joined_at_(shard.tick()),
      address_(start_->request.client_address),
      jitter_(shard.random()),
      encoding_(start_->request.encoding) {
  asio::error_code error;
  // Which protocol matters only to calls that are not made here.
  socket_.assign(asio::ip::tcp::v4(), start_->socket, error);
  // Bounds what a stuck client holds in the kernel: 3 MB by default.
  const int unsent = static_cast<int>(shard.options().socket_unsent_bytes);
  ::setsockopt(start_->socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
}

Client::~Client() { TimerWheel::cancel(*this); }

void Client::send(Slice& slice) {
  if (is_blocked_ || state_ != State::kStreaming) return;
  if (!slice.holds_all_after(subscriptions_[0].cursor)) return pump();
  send_slice(slice);
  if (state_ == State::kClosing) pump();
}

// Sends what of `slice` lies after the cursor. False if the socket is full, or the client has ended.
bool Client::send_slice(Slice& slice) {
  Subscription& mine = subscriptions_[0];
  const std::vector<LogEntry>& entries = slice.entries();
  const std::size_t first = slice.index_after(mine.cursor);
  if (first == entries.size()) return true;
  Batch& batch = slice.batch(encoding_, mine.feed->channel->name);
  if (batch.has_retry()) batch.write_retries(jitter_);
  const std::size_t begin = batch.begin_of(first);
  const std::size_t sent = begin + write(batch.bytes().substr(begin));
  if (state_ == State::kEnded) return false;
  count_bytes(sent - begin);
  const bool is_whole = sent == batch.bytes().size();
  const std::size_t full = is_whole ? entries.size() : batch.frame_at(sent);
  if (full > first) {
    // What it has had, by ordinals, is what it is counted by: no look at each entry.
    const auto messages = entries[full - 1].at.ordinal - mine.cursor.ordinal;
    shard_.stats().messages_out.add(messages);
    messages_ += messages;
    if (batch.has_gaps()) count_gaps(entries, first, full);
    on_taken(entries[full - 1], mine);
  }
  if (is_whole) return true;
  if (sent > batch.begin_of(full)) take_torn(entries[full], batch, full, sent, mine);
  set_blocked();
  return false;
}

// What lies between its cursor and the end is at hand, encoded, and it may have all of it.
Slice* Client::slice_at_hand() {
  if (follows_many() || replay_ || !ahead_.empty() || state_ != State::kStreaming) return nullptr;
  const Subscription& mine = subscriptions_[0];
  if (mine.has_ended || is_over_queue(0)) return nullptr;
  return shard_.slice_of(*mine.feed, mine.cursor);
}

void Client::pump() {
  for (int round = 0; state_ == State::kStreaming || state_ == State::kClosing; ++round) {
    if (is_blocked_) return;
    if (owes_bus_state()) tell_bus_state();
    if (!flush()) return;
    if (is_last_written_) return linger();
    if (round == kRoundsMax) return set_blocked();
    if (Slice* slice = slice_at_hand()) {
      if (!send_slice(*slice) || state_ == State::kStreaming) return;
      continue;
    }
    auto& out = shard_.scratch_outgoing();
    out.clear();
    switch (read_next(out)) {
      case Next::kEntries:
        if (!send_out(out)) return;
        break;
      case Next::kPrivate:
        break;
      case Next::kNothing:
        if (state_ != State::kClosing) return;
        write_last();
        break;
    }
  }
}

// Sends what is left of earlier bytes. False if the socket is full, or the client has ended.
bool Client::flush() {
  while (private_sent_ < private_.size() || !rest_.empty()) {
    const bool is_rest = !rest_.empty() && private_sent_ >= private_before_rest_;
    const std::size_t private_end = rest_.empty() ? private_.size() : private_before_rest_;
    const std::string_view bytes =
        is_rest ? rest_ : std::string_view(private_).substr(private_sent_, private_end - private_sent_);
    const std::size_t sent = write(bytes);
    if (state_ == State::kEnded) return false;
    count_bytes(sent);
    if (is_rest) {
      rest_.remove_prefix(sent);
    } else {
      private_sent_ += sent;
    }
    if (sent < bytes.size()) {
      set_blocked();
      return false;
    }
  }
  rest_frame_.reset();
  std::string().swap(private_);  // Assigning an empty one would keep the memory.
  private_sent_ = 0;
  private_before_rest_ = 0;
  return true;
}

// One system call. Returns how many bytes the socket took; ends the client on an error.
std::size_t Client::write(std::string_view bytes) {
  const ssize_t sent =
      ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent > 0) {
    sent_at_ = blocked_since_ = shard_.tick();
    return static_cast<std::size_t>(sent);
  }
  if (sent < 0 && !may_try_again(errno)) end(CloseReason::kClientGone, false);
  return 0;
}

// Sends entries that this client read for itself. False if the socket is full, or the client has ended.
bool Client::send_out(const std::vector<Outgoing>& out) {
  Batch& batch = shard_.scratch_batch();
  batch.clear();
  for (const Outgoing& item : out) {
    batch.add(*item.entry.frame, encoding_, subscriptions_[item.subscription].feed->channel->name);
  }
  if (batch.has_retry()) batch.write_retries(jitter_);
  const std::string_view bytes = batch.bytes();
  const std::size_t sent = write(bytes);
  if (state_ == State::kEnded) return false;
  count_bytes(sent);
  const std::size_t full = sent == bytes.size() ? out.size() : batch.frame_at(sent);
  for (std::size_t i = 0; i < full; ++i) {
    count_entry(out[i].entry);
    on_taken(out[i].entry, subscriptions_[out[i].subscription]);
  }
  if (full == out.size()) return true;
  const bool is_torn = sent > batch.begin_of(full);
  if (is_torn) take_torn(out[full].entry, batch, full, sent, subscriptions_[out[full].subscription]);
  for (std::size_t i = full + (is_torn ? 1 : 0); i < out.size(); ++i) {
    Subscription& mine = subscriptions_[out[i].subscription];
    if (out[i].entry.at.sequence <= mine.cursor.sequence) {
      ahead_.push_back(out[i]);  // The cursor has passed it (conflated, an end): no log gives it again.
    } else {
      mine.is_dirty = true;
    }
  }
  set_blocked();
  return false;
}

// The socket took a part of frame `index` of `batch`: the rest is kept, a chunk is never torn.
void Client::take_torn(const LogEntry& entry, const Batch& batch, std::size_t index, std::size_t sent,
                       Subscription& subscription) {
  rest_frame_ = entry.frame;
  const std::string_view bytes = bytes_of(*entry.frame, encoding_, subscription.feed->channel->name);
  std::size_t taken = sent - batch.begin_of(index);
  if (entry.frame->has_retry()) {
    const std::size_t digits_end =
        (encoding_.is_chunked ? Frame::retry_offset(bytes) : kRetryOffset) + kRetryDigits;
    if (taken < digits_end) {
      private_.assign(batch.bytes().substr(sent, digits_end - taken));
      private_sent_ = 0;
      private_before_rest_ = static_cast<std::uint8_t>(digits_end - taken);
      taken = digits_end;
    }
  }
  rest_ = bytes.substr(taken);
  count_entry(entry);
  on_taken(entry, subscription);
}

// The client has, or will get without the log's help, everything up to `entry`.
void Client::on_taken(const LogEntry& entry, Subscription& subscription) {
  if (entry.at.sequence > subscription.cursor.sequence) subscription.cursor = entry.at;
  if (entry.frame->kind() != FrameKind::kEnd) return;
  subscription.has_ended = true;
  const auto has_ended = [](const Subscription& other) { return other.has_ended; };
  if (std::all_of(subscriptions_.begin(), subscriptions_.end(), has_ended)) {
    begin_close(CloseReason::kEnd, shard_.tick() + Shard::ticks(shard_.options().stuck));
  }
}

void Client::count_bytes(std::size_t bytes) {
  shard_.stats().bytes_out.add(bytes);
  bytes_ += bytes;
}

void Client::count_gaps(const std::vector<LogEntry>& entries, std::size_t first, std::size_t end) {
  for (std::size_t i = first; i < end; ++i) {
    if (entries[i].frame->kind() == FrameKind::kGap) count_entry(entries[i]);
  }
}

void Client::count_entry(const LogEntry& entry) {
  if (entry.frame->kind() == FrameKind::kJump) return;  // Its gaps were counted when it was made.
  if (entry.frame->kind() == FrameKind::kGap) {
    shard_.stats().gaps[static_cast<std::size_t>(entry.frame->gap_reason())].add();
    ++gaps_;
    return;
  }
  shard_.stats().messages_out.add();
  ++messages_;
  if (replay_) ++replay_->replayed;
}

void Client::append_private(std::string_view blocks) {
  private_.append(encoding_.is_chunked ? encode_chunk(blocks) : std::string(blocks));
  if (is_blocked_) count_own_bytes();
}

std::size_t Client::own_bytes() const {
  const std::size_t in_place = std::string().capacity();
  return (private_.capacity() > in_place ? private_.capacity() : 0) + ahead_.capacity() * sizeof(Outgoing);
}

// Only a blocked client holds bytes of its own over a return to the loop.
void Client::count_own_bytes() {
  HeldMemory& held = *shard_.options().held;
  const std::size_t bytes = is_blocked_ ? own_bytes() : 0;
  held.add(bytes);
  held.remove(own_bytes_counted_);
  own_bytes_counted_ = static_cast<std::uint32_t>(bytes);
}

bool Client::holds_memory() const {
  constexpr std::size_t kFewBytes = 1'024;  // A response head, some comments, a gap.
  const auto beside_logs = [](const Frame& frame) { return frame.is_logged() ? 0 : frame.held_bytes(); };
  std::size_t bytes = own_bytes();
  if (rest_frame_) bytes += beside_logs(*rest_frame_);
  for (const Outgoing& item : ahead_) bytes += beside_logs(*item.entry.frame);
  return bytes > kFewBytes;
}

// Waits until the socket takes more. Everything that is to be sent waits in the logs.
void Client::set_blocked() {
  assert(!is_blocked_);
  is_blocked_ = true;
  blocked_since_ = shard_.tick();
  shard_.add_blocked(*this);
  count_own_bytes();
  for (const Subscription& mine : subscriptions_) {
    ++mine.feed->blocked;
    shard_.lower_floor(mine.feed, mine.cursor);
  }
  socket_.async_wait(Socket::wait_write, [self = shared_from_this()](const asio::error_code& error) {
    if (self->state_ == State::kEnded) return;
    self->clear_blocked();
    if (error) return;
    self->pump();
    if (!self->is_blocked_) self->schedule();  // Heartbeats again.
  });
  schedule();
}

void Client::clear_blocked() {
  if (!is_blocked_) return;
  is_blocked_ = false;
  count_own_bytes();
  for (const Subscription& mine : subscriptions_) --mine.feed->blocked;
  shard_.remove_blocked(*this);
}

// Pending for as long as the stream lasts, so what asio needs for it is a part of the client.
struct Client::OnReadable {
  using allocator_type = InPlaceAllocator<char>;
  allocator_type get_allocator() const { return allocator_type(client->wait_memory_); }

  void operator()(const asio::error_code& error) const {
    if (error || client->state_ == State::kEnded) return;
    client->on_readable();
  }

  std::shared_ptr<Client> client;
};

void Client::wait_readable() { socket_.async_wait(Socket::wait_read, OnReadable{shared_from_this()}); }

// Nothing that a client sends on a stream means anything; what matters is that it closes.
void Client::on_readable() {
  std::array<char, 4096> thrown_away;
  const ssize_t bytes = ::recv(socket_.native_handle(), thrown_away.data(), thrown_away.size(), MSG_DONTWAIT);
  if (bytes > 0 || (bytes < 0 && may_try_again(errno))) return wait_readable();
  end(state_ == State::kLingering ? close_reason_ : CloseReason::kClientGone, false);
}

void Client::close_at(Tick at, CloseReason reason, Tick deadline) {
  if (state_ != State::kWaiting && state_ != State::kStreaming) return;
  close_deadline_ = std::min(close_deadline_, deadline);
  if (at >= close_at_) return;
  close_at_ = at;
  close_reason_ = reason;
  schedule();
}

// Once, when it is time; a browser can come back with a new token before the stream ends.
void Client::tell_expiring() {
  if (shard_.tick() < expiring_at_) return;
  expiring_at_ = kNever;
  append_private(encode_token_expiring(expires_at_));
}

void Client::on_bus_state() {
  if (owes_bus_state()) pump();
}

bool Client::owes_bus_state() const {
  if (state_ != State::kStreaming) return false;
  return is_told_bus_down_ ? shard_.is_bus_up() : shard_.is_bus_down();
}

void Client::tell_bus_state() {
  is_told_bus_down_ = !is_told_bus_down_;
  append_private(encode_bus_state(!is_told_bus_down_));
}

void Client::begin_close(CloseReason reason, Tick deadline) {
  if (state_ != State::kStreaming) return;
  state_ = State::kClosing;
  close_reason_ = reason;
  deadline_ = deadline;
  schedule();
}

void Client::write_last() {
  const auto retry = jittered(shard_.options().retry, jitter_);
  const char* reason = kCloseReasonNames[static_cast<std::size_t>(close_reason_)];
  append_private(std::string(": closing: ") + reason + "\nretry: " + std::to_string(retry.count()) + "\n\n");
  if (encoding_.is_chunked) private_.append(kLastChunk);
  is_last_written_ = true;
}

void Client::linger() {
  asio::error_code error;
  socket_.shutdown(Socket::shutdown_send, error);
  state_ = State::kLingering;
  deadline_ = shard_.tick() + Shard::ticks(kLinger);
  schedule();
}

void Client::end(CloseReason reason, bool by_reset) {
  if (state_ == State::kEnded) return;
  if (StreamObserver* const observer = shard_.options().observer) observer->on_end(*this, reason);
  const bool was_waiting = is_waiting();
  state_ = State::kEnded;
  const auto self = shared_from_this();
  TimerWheel::cancel(*this);
  clear_blocked();
  asio::error_code error;
  if (by_reset) socket_.set_option(asio::socket_base::linger(true, 0), error);
  socket_.close(error);
  for (Subscription& mine : subscriptions_) {
    if (was_waiting) --mine.feed->waiting;
    shard_.unfollow(*mine.feed, mine.index_in_feed);
  }
  subscriptions_.clear();
  rest_ = {};
  rest_frame_.reset();
  shard_.stats().closed[static_cast<std::size_t>(reason)].add();
  shard_.remove(*this);
}

std::chrono::milliseconds Client::age() const { return (shard_.tick() - joined_at_) * kTickLength; }

SlowClient Client::lag(std::size_t& channel_index) const {
  SlowClient slow;
  slow.address = address_;
  slow.waits = (shard_.tick() - blocked_since_) * kTickLength;
  channel_index = 0;
  for (std::size_t i = 0; i < subscriptions_.size(); ++i) {
    const Cursor& end = subscriptions_[i].feed->position;
    const Cursor& at = subscriptions_[i].cursor;
    if (subscriptions_[i].has_ended || end.bytes <= at.bytes + slow.lag_bytes) continue;
    slow.lag_messages = end.ordinal - at.ordinal;
    slow.lag_bytes = end.bytes - at.bytes;
    channel_index = i;
  }
  return slow;
}

void Client::on_timer(Tick now) {
  const ShardOptions& options = shard_.options();
  switch (state_) {
    case State::kWaiting:
      if (now < deadline_ && now < close_at_) break;
      // Let in before the acknowledgement: what is published until it comes is told as a gap.
      for (const Subscription& mine : subscriptions_) {
        if (!mine.feed->channel->is_live) mine.feed->channel->owes_gap = true;
      }
      begin_stream();
      break;
    case State::kStreaming:
      if (is_blocked_ && now - blocked_since_ >= Shard::ticks(options.stuck))
        return end(CloseReason::kStuck, true);
      tell_expiring();
      if (now >= close_at_) {
        begin_close(close_reason_, close_deadline_);
      } else if (!is_blocked_ && now - sent_at_ >= Shard::ticks(options.heartbeat)) {
        shard_.stats().heartbeats.add();
        append_private(":\n\n");
      }
      pump();
      break;
    case State::kClosing:
      if (now >= deadline_) return end(close_reason_, true);
      break;
    case State::kLingering:
      if (now >= deadline_) return end(close_reason_, false);
      break;
    case State::kEnded:
      return;
  }
  schedule();
}

void Client::schedule() {
  if (state_ == State::kEnded) return;
  Tick at = deadline_;
  if (state_ == State::kStreaming) {
    at = is_blocked_ ? blocked_since_ + Shard::ticks(shard_.options().stuck)
                     : sent_at_ + Shard::ticks(shard_.options().heartbeat);
    at = std::min(at, expiring_at_);
  }
  if (state_ == State::kStreaming || state_ == State::kWaiting) at = std::min(at, close_at_);
  shard_.wheel().schedule(*this, at);
}

}  // namespace weir
