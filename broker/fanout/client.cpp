#include "broker/fanout/client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <asio/post.hpp>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "broker/base/retry_time.h"
#include "broker/fanout/expiry.h"
#include "broker/fanout/shard.h"
#include "proto/event_id.h"

namespace weir {

namespace {

// After this many reads a client lets the others have their turn.
constexpr int kRoundsMax = 8;
// How long to wait for the peer's close after the end of the body. Closing with unread bytes in the receive
// buffer would reset the connection, and the peer would lose the end.
constexpr std::chrono::milliseconds kLinger{1'000};

bool is_refused(const Subscription& subscription) { return subscription.feed->channel->is_refused.load(); }

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
  // The protocol matters only to calls that are not made here.
  socket_.assign(asio::ip::tcp::v4(), start_->socket, error);
  // The kernel would let a stuck client hold 3 MB by default.
  const int unsent = static_cast<int>(shard.options().socket_unsent_bytes);
  ::setsockopt(start_->socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
}

Client::~Client() { TimerWheel::cancel(*this); }

void Client::join() {
  shard_.stats().clients.add();
  shard_.stats().opened.add();
  reader_.subscriptions().reserve(start_->channels.size());
  for (const ChannelPtr& channel : start_->channels) {
    const auto feed = shard_.follow(channel);
    ++feed->waiting;
    if (start_->channels.size() > 1) ++feed->merging;
    const auto subscription = static_cast<std::uint32_t>(reader_.subscriptions().size());
    reader_.follow(feed, feed->followers.size());
    feed->followers.push_back({this, subscription});
  }
  start_->channels.clear();
  deadline_ = shard_.tick() + Shard::ticks(shard_.options().live_wait);
  if (shard_.options().max_stream.count() > 0) {
    // Up to 20 % earlier, so that clients that came together do not reconnect together.
    const auto most = Shard::ticks(shard_.options().max_stream);
    const Tick at = shard_.tick() + std::max<Tick>(1, most - most / 5 * (jitter_ >> 16) / 0xffff);
    close_at(at, CloseReason::kMaxStream, at + Shard::ticks(shard_.options().stuck));
  }
  if (start_->request.expires_at) {
    const Expiry expiry = expiry_of(*start_->request.expires_at, std::chrono::system_clock::now(),
                                    shard_.tick(), shard_.options().expiry_notice);
    expiring_at_ = expiry.notice_at;
    expires_at_ = expiry.unix_seconds;
    if (expiry.at != kNoTick) {
      close_at(expiry.at, CloseReason::kTokenExpired,
               expiry.at + Shard::ticks(shard_.options().expiry_grace));
    }
  }
  if (StreamObserver* const observer = shard_.options().observer) observer->on_start(*this);
  schedule();
  wait_readable();
  on_channel_state();
}

void Client::on_channel_state() {
  const auto is_live = [](const Subscription& mine) { return mine.feed->channel->is_live.load(); };
  const auto& subscriptions = reader_.subscriptions();
  if (std::any_of(subscriptions.begin(), subscriptions.end(), is_refused)) {
    if (state_ == State::kWaiting) return refuse();
    reader_.set_all_dirty();  // Not every feed with news may have been served in this turn.
    begin_close(CloseReason::kRefused, shard_.tick() + Shard::ticks(shard_.options().stuck));
    pump();
  } else if (state_ == State::kWaiting && std::all_of(subscriptions.begin(), subscriptions.end(), is_live)) {
    begin_stream();
  }
}

void Client::begin_stream() {
  const auto start = std::move(start_);
  state_ = State::kStreaming;
  for (const Subscription& mine : reader_.subscriptions()) --mine.feed->waiting;
  // Joined feeds hear of everything that is appended after this position.
  const auto [id, gaps] = reader_.start(shard_.read_context(), start->request, shard_.appended());
  if (reader_.is_replaying()) {
    for (const Subscription& mine : reader_.subscriptions()) {
      if (!mine.back) shard_.lower_floor(mine.feed, mine.cursor);
    }
  }
  const auto retry = jittered(shard_.options().retry, jitter_);
  outbox_.begin(std::move(start->request.head));
  append_own(first_comment() + start->request.comments + "retry: " + std::to_string(retry.count()) +
             (id.empty() ? "" : "\nid: " + id) + "\n\n");
  if (!shard_.is_bus_up()) {
    shard_.note_bus_down();
    tell_bus_state();
  }
  if (!gaps.empty()) append_own(gaps);
  tell_expiring();
  if (shard_.tick() >= close_at_) begin_close(close_reason_, close_deadline_);
  schedule();
  shard_.stats().start.observe(std::chrono::steady_clock::now() - start->request.arrived);
  pump();
}

// `heartbeat` tells a client after how many seconds of silence the connection is dead.
std::string Client::first_comment() const {
  const auto heartbeat = std::chrono::ceil<std::chrono::seconds>(shard_.options().heartbeat);
  return ": weir heartbeat=" + std::to_string(heartbeat.count()) + "\n";
}

// Nothing was sent yet, so an error response is still possible.
void Client::refuse() {
  const auto& subscriptions = reader_.subscriptions();
  for (const Subscription& mine : subscriptions) --mine.feed->waiting;
  const auto refused = std::find_if(subscriptions.begin(), subscriptions.end(), is_refused);
  outbox_.begin(start_->request.forbidden(refused->feed->channel->name));
  start_.reset();
  state_ = State::kClosing;
  close_reason_ = CloseReason::kRefused;
  deadline_ = shard_.tick() + Shard::ticks(shard_.options().stuck);
  is_last_written_ = true;
  schedule();
  pump();
}

void Client::send(Slice& slice) {
  if (is_blocked_ || state_ != State::kStreaming) return;
  const Subscription& mine = reader_.subscriptions()[0];
  if (mine.back || reader_.has_own_ids() || !slice.holds_all_after(mine.cursor)) return pump();
  send_slice(slice);
  if (state_ == State::kClosing) pump();
}

// Sends the entries of `slice` after the cursor. False if the socket is full, or the client has ended.
bool Client::send_slice(Slice& slice) {
  const Subscription& mine = reader_.subscriptions()[0];
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
    // The ordinals give the number of messages without a look at each entry.
    const auto messages = entries[full - 1].at.ordinal - mine.cursor.ordinal;
    shard_.stats().messages_out.add(messages);
    messages_ += messages;
    if (batch.has_gaps()) count_gaps(entries, first, full);
    on_sent(entries[full - 1], 0);
  }
  if (is_whole) return true;
  if (sent > batch.begin_of(full))
    keep_rest(entries[full], 0, batch.bytes().substr(sent, batch.end_of(full) - sent));
  set_blocked();
  return false;
}

// The shard's slice, if it holds everything that this client still needs and may have.
Slice* Client::slice_at_hand() {
  if (state_ != State::kStreaming || !reader_.reads_log_only()) return nullptr;
  const Subscription& mine = reader_.subscriptions()[0];
  return shard_.slice_of(*mine.feed, mine.cursor);
}

void Client::pump() {
  if (reader_.has_own_ids() && !follows_many()) reader_.set_all_dirty();  // Nobody else says so.
  for (int round = 0; state_ == State::kStreaming || state_ == State::kClosing; ++round) {
    if (is_blocked_) return;
    if (owes_bus_state()) tell_bus_state();
    if (reader_.has_newcomers()) tell_position();
    if (!flush()) return;
    if (is_last_written_) return linger();
    if (round == kRoundsMax) return set_blocked();
    if (Slice* slice = slice_at_hand()) {
      if (!send_slice(*slice) || state_ == State::kStreaming) return;
      continue;
    }
    // An expired stream gets no more: with a new token it resumes after its last message.
    if (has_expired()) {
      write_last();
      continue;
    }
    auto& out = shard_.scratch_outgoing();
    out.clear();
    const Reader::Next outcome = reader_.read(shard_.read_context(), out);
    if (!shard_.read_context().asks.empty()) ask_history();
    switch (outcome) {
      case Reader::Next::kEntries:
        if (!send_out(out)) return;
        break;
      case Reader::Next::kJumped:
        break;
      case Reader::Next::kTooSlow:
        return end(CloseReason::kSlowClient, true);
      case Reader::Next::kWaits:
        // Another gateway goes on from its last id.
        if (state_ != State::kClosing) return;
        write_last();
        break;
      case Reader::Next::kNothing:
        // An end may follow the replay: send it after the replay.
        if (reader_.is_replaying() && !(state_ == State::kClosing && close_reason_ == CloseReason::kEnd)) {
          tell_replayed();
          break;
        }
        if (state_ != State::kClosing) return;
        write_last();
        break;
    }
  }
}

// Sends the rest of earlier bytes. False if the socket is full, or the client has ended.
bool Client::flush() {
  while (!outbox_.empty()) {
    const std::string_view bytes = outbox_.next();
    const std::size_t sent = write(bytes);
    if (state_ == State::kEnded) return false;
    count_bytes(sent);
    outbox_.on_sent(sent);
    if (sent < bytes.size()) {
      set_blocked();
      return false;
    }
  }
  outbox_.clear();
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

// Sends entries that this client has read itself. False if the socket is full, or the client has ended.
bool Client::send_out(const std::vector<Outgoing>& out) {
  Batch& batch = shard_.scratch_batch();
  batch.clear();
  for (const Outgoing& item : out) {
    batch.add(*item.entry.frame, encoding_, reader_.channel_name(item.subscription));
  }
  if (batch.has_retry()) batch.write_retries(jitter_);
  const std::string_view bytes = batch.bytes();
  const std::size_t sent = write(bytes);
  if (state_ == State::kEnded) return false;
  count_bytes(sent);
  const std::size_t full = sent == bytes.size() ? out.size() : batch.frame_at(sent);
  for (std::size_t i = 0; i < full; ++i) {
    count_entry(out[i].entry);
    on_sent(out[i].entry, out[i].subscription);
  }
  if (full == out.size()) return true;
  const bool is_torn = sent > batch.begin_of(full);
  if (is_torn)
    keep_rest(out[full].entry, out[full].subscription, bytes.substr(sent, batch.end_of(full) - sent));
  for (std::size_t i = full + (is_torn ? 1 : 0); i < out.size(); ++i) reader_.take_back(out[i]);
  set_blocked();
  return false;
}

// Keeps the rest of `entry`, of which the socket took a part. It goes out before anything else, since
// a chunk must stay whole.
void Client::keep_rest(const LogEntry& entry, std::uint32_t subscription, std::string_view unsent) {
  const std::string_view bytes = bytes_of(*entry.frame, encoding_, reader_.channel_name(subscription));
  outbox_.keep_rest(entry.frame, bytes, unsent, encoding_);
  count_entry(entry);
  on_sent(entry, subscription);
}

// Everything up to `entry` was sent, or is kept in the outbox.
void Client::on_sent(const LogEntry& entry, std::uint32_t subscription) {
  if (reader_.on_sent(entry, subscription))
    begin_close(CloseReason::kEnd, shard_.tick() + Shard::ticks(shard_.options().stuck));
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
    const auto reason = static_cast<std::size_t>(entry.frame->gap_reason());
    shard_.stats().gaps[reason].add();
    if (const auto missed = entry.frame->gap_missed()) shard_.stats().missed[reason].add(*missed);
    ++shared_gaps_;
    return;
  }
  shard_.stats().messages_out.add();
  ++messages_;
  reader_.count_replayed();
}

// Appends blocks of the client's own to the outbox.
void Client::append_own(std::string_view blocks) {
  if (encoding_.is_chunked) {
    outbox_.append(encode_chunk(blocks));
  } else {
    outbox_.append(blocks);
  }
  if (is_blocked_) count_own_bytes();
}

// Counts only while blocked: any other client's own bytes are gone before the return to the loop.
void Client::count_own_bytes() {
  HeldMemory& held = *shard_.options().held;
  const std::size_t bytes = is_blocked_ ? own_bytes() : 0;
  held.add(bytes);
  held.remove(own_bytes_counted_);
  own_bytes_counted_ = static_cast<std::uint32_t>(bytes);
}

bool Client::holds_memory() const {
  constexpr std::size_t kFewBytes = 1'024;  // A response head, some comments, a gap.
  return own_bytes() + outbox_.frame_bytes_beside_logs() + reader_.frame_bytes_beside_logs() > kFewBytes;
}

bool Client::needs_log(std::uint32_t subscription) const {
  return (state_ == State::kStreaming || state_ == State::kClosing) &&
         !reader_.subscriptions()[subscription].has_ended && !reader_.reads_back(subscription) &&
         !reader_.is_over_queue(subscription);
}

void Client::check_queue(std::uint32_t subscription) {
  const bool is_reading = state_ == State::kStreaming || state_ == State::kClosing;
  if (is_reading && reader_.is_too_slow(subscription)) end(CloseReason::kSlowClient, true);
}

// Waits until the socket takes more. Unsent entries wait in the logs.
void Client::set_blocked() {
  assert(!is_blocked_);
  is_blocked_ = true;
  blocked_since_ = shard_.tick();
  shard_.add_blocked(*this);
  reader_.drop_pages();
  count_own_bytes();
  for (const Subscription& mine : reader_.subscriptions()) {
    ++mine.feed->blocked;
    if (!mine.back) shard_.lower_floor(mine.feed, mine.cursor);
  }
  socket_.async_wait(Socket::wait_write, [self = shared_from_this()](const asio::error_code& error) {
    if (self->state_ == State::kEnded) return;
    self->clear_blocked();
    if (error) return;
    self->observe_lag();
    self->pump();
    if (!self->is_blocked_) self->schedule();  // Heartbeats again.
  });
  schedule();
}

void Client::clear_blocked() {
  if (!is_blocked_) return;
  is_blocked_ = false;
  count_own_bytes();
  for (const Subscription& mine : reader_.subscriptions()) --mine.feed->blocked;
  shard_.remove_blocked(*this);
}

// Not for a replay: its entries are old, and nobody waits for them.
void Client::observe_lag() {
  if (state_ != State::kStreaming || reader_.is_replaying()) return;
  std::optional<SteadyTime> oldest;
  for (const Subscription& mine : reader_.subscriptions()) {
    if (mine.has_ended || mine.back || mine.cursor.sequence >= mine.feed->position.sequence) continue;
    const auto arrived = mine.feed->channel->log.arrival_after(mine.cursor);
    if (arrived && (!oldest || *arrived < *oldest)) oldest = arrived;
  }
  if (oldest) shard_.stats().lag.observe(std::chrono::steady_clock::now() - *oldest);
}

// Pending for as long as the stream lasts, so asio's memory for it is a part of the client.
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

// A stream's client has nothing to say: read only to notice its close.
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

// Follows the event with an id-only block, so that a client cut off now is not told of the same gaps again.
// `until` is a position for every channel: all of them were sent up to it.
void Client::tell_replayed() {
  const auto [messages, id] = reader_.end_replay(shard_.read_context());
  append_own(encode_live(messages) + (id.empty() ? "" : "id: " + id + "\n\n"));
}

// A log has begun, and with it what this client gets.
void Client::tell_position() {
  const std::string id = reader_.place_newcomers(shard_.read_context());
  if (!id.empty()) append_own("id: " + id + "\n\n");
}

// The answers come on another thread, perhaps when this client has ended.
void Client::ask_history() {
  ReadContext& context = shard_.read_context();
  for (Ask& ask : std::exchange(context.asks, {})) {
    const ChannelStreamPtr& stream = reader_.subscriptions()[ask.subscription].feed->channel->stream;
    const auto is_wanted = [self = weak_from_this()] { return !self.expired(); };
    const auto answer = [self = weak_from_this(), &loop = shard_.loop()](auto take) {
      asio::post(loop, [self, take = std::move(take)] {
        if (const auto client = self.lock()) take(*client);
      });
    };
    const std::uint32_t subscription = ask.subscription;
    if (ask.wish) {
      const auto done = [answer, subscription](Located located) {
        answer([subscription, located](Client& client) { client.on_located(subscription, located); });
      };
      context.history->locate(stream, *ask.wish, done, is_wanted);
    } else {
      const auto done = [answer, subscription](PagePtr page) {
        answer(
            [subscription, page = std::move(page)](Client& client) { client.on_page(subscription, page); });
      };
      context.history->read(stream, ask.from, ask.is_fresh, done, is_wanted);
    }
  }
}

void Client::on_page(std::uint32_t subscription, PagePtr page) {
  on_history(reader_.on_page(subscription, std::move(page)));
}

void Client::on_located(std::uint32_t subscription, const Located& located) {
  on_history(reader_.on_located(shard_.read_context(), subscription, located));
}

void Client::on_history(bool is_readable) {
  if (state_ == State::kEnded) return;
  if (!is_readable) begin_close(CloseReason::kRefused, shard_.tick() + Shard::ticks(shard_.options().stuck));
  if (is_blocked_) {
    reader_.drop_pages();
  } else {
    pump();
  }
}

// Tells it once, early enough for a browser to reconnect with a new token.
void Client::tell_expiring() {
  if (shard_.tick() < expiring_at_) return;
  expiring_at_ = kNoTick;
  append_own(encode_token_expiring(expires_at_));
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
  append_own(encode_bus_state(!is_told_bus_down_));
}

void Client::begin_close(CloseReason reason, Tick deadline) {
  if (state_ != State::kStreaming) return;
  state_ = State::kClosing;
  close_reason_ = reason;
  deadline_ = deadline;
  schedule();
}

void Client::write_last() {
  const ShardOptions& options = shard_.options();
  const auto retry = close_reason_ == CloseReason::kDrain
                         ? jittered_at_drain(options.drain_retry, options.retry, jitter_)
                         : jittered(options.retry, jitter_);
  const char* reason = kCloseReasonNames[static_cast<std::size_t>(close_reason_)];
  append_own(std::string(": closing: ") + reason + "\nretry: " + std::to_string(retry.count()) + "\n\n");
  if (encoding_.is_chunked) outbox_.append(kLastChunk);
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
  for (const Subscription& mine : reader_.subscriptions()) {
    if (was_waiting) --mine.feed->waiting;
    shard_.unfollow(*mine.feed, mine.index_in_feed);
  }
  reader_.clear();
  outbox_.clear();
  shard_.stats().closed[static_cast<std::size_t>(reason)].add();
  shard_.remove(*this);
}

std::chrono::milliseconds Client::age() const { return (shard_.tick() - joined_at_) * kTickLength; }

SlowClient Client::lag(std::size_t& channel_index) const {
  SlowClient slow;
  slow.address = address_;
  slow.waits = (shard_.tick() - blocked_since_) * kTickLength;
  channel_index = 0;
  const auto& subscriptions = reader_.subscriptions();
  for (std::size_t i = 0; i < subscriptions.size(); ++i) {
    const Cursor& end = subscriptions[i].feed->position;
    const Cursor& at = subscriptions[i].cursor;
    if (subscriptions[i].has_ended || subscriptions[i].back || end.bytes <= at.bytes + slow.lag_bytes)
      continue;
    slow.lag_messages = end.ordinal - at.ordinal;
    slow.lag_bytes = end.bytes - at.bytes;
    channel_index = i;
  }
  return slow;
}

void Client::add_backlog(Backlog& backlog) const {
  for (const Subscription& mine : reader_.subscriptions()) {
    if (mine.has_ended || mine.back || mine.cursor.sequence >= mine.feed->position.sequence) continue;
    backlog.messages += mine.feed->position.ordinal - mine.cursor.ordinal;
    backlog.bytes += mine.feed->position.bytes - mine.cursor.bytes;
  }
}

void Client::on_timer(Tick now) {
  const ShardOptions& options = shard_.options();
  switch (state_) {
    case State::kWaiting:
      if (now < deadline_ && now < close_at_) break;
      // The stream begins before the acknowledgement: messages published until then become a gap.
      // A channel with a history is filled up instead.
      for (const Subscription& mine : reader_.subscriptions()) {
        Channel& channel = *mine.feed->channel;
        if (channel.is_live) continue;
        if (channel.stream) {
          channel.note_newcomer(std::chrono::system_clock::now());
        } else {
          channel.owes_gap = true;
        }
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
        append_own(":\n\n");
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
