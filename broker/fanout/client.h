// One SSE stream: a socket, a reader of its channels' logs, and an outbox for bytes that the
// socket did not take.
//
// The reader's cursors decide what to send next; a client keeps no queue. Its states:
//
//   waiting     The head is not sent: the bus has not acknowledged every channel yet (live_wait at most).
//   streaming   Caught up (its cursor is its feed's position), or lagging until the socket takes more.
//   closing     Sends everything logged so far, a last comment and the end. If expired, only the last two.
//   lingering   Everything is sent. The peer's close is awaited for a moment, so that it reads the end.
//   ended       The shard destroys it on a later turn.
//
// Threads:   the shard's.
// Ownership: the shard owns it. Its destructor gives back its leases and its place.
// Limits:    one torn frame, and own bytes that HeldMemory counts. A socket that takes nothing for
//            ShardOptions::stuck ends it.
#pragma once

#include <asio/ip/tcp.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/ip_address.h"
#include "broker/fanout/batch.h"
#include "broker/fanout/fetch.h"
#include "broker/fanout/in_place_allocator.h"
#include "broker/fanout/outbox.h"
#include "broker/fanout/reader.h"
#include "broker/fanout/slice.h"
#include "broker/fanout/slow_client.h"
#include "broker/fanout/stats.h"
#include "broker/fanout/stream_request.h"
#include "broker/fanout/timer_wheel.h"

namespace weir {

class Shard;

// Its deleter gives back the client's place and its hold on the channels. It is a shared_ptr rather than a
// std::function to save memory: that is larger, and would allocate 48 bytes for each idle stream.
using Lease = std::shared_ptr<void>;

// A stream on its way to its client. Held until the head is sent.
struct ClientStart {
  StreamRequest request;
  std::vector<ChannelPtr> channels;  // Those of request.channels, in order.
  int socket = -1;
  Lease lease;  // For everything the hub counts for this client.
};

class Client : public TimerNode, public std::enable_shared_from_this<Client> {
 public:
  Client(Shard& shard, ClientStart start);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Joins its feeds; begins to stream if all channels are live.
  void join();

  // Hot path, step 5 of docs/life-of-a-message.md, for a client of one channel: `slice` ends at its feed's
  // position. A caught-up client sends it as it is: no lock, no reference count, one system call.
  void send(Slice& slice);

  // Prefetch the memory that send() touches. Call the second a few clients later: it follows a pointer that
  // the first brought in.
  void fetch_ahead() const { fetch(this, sizeof(Client)); }
  void fetch_cursor_ahead() const { fetch(reader_.subscriptions().data(), sizeof(Subscription)); }

  // Sends the entries in the logs, until it has caught up or the socket is full.
  void pump();

  // Tells the client that the bus has come or gone, at once or when the socket takes more. Does nothing if
  // the client knows already: it assumes that the bus is up until it is told otherwise.
  void on_bus_state();
  // Answers to what its reader asked of a channel's history.
  void on_page(std::uint32_t subscription, PagePtr page);
  void on_located(std::uint32_t subscription, const Located& located);
  // Begins or ends the stream if the state of its channels requires it.
  void on_channel_state();
  void on_timer(Tick now);
  // Ends the stream at `at`, after everything logged by then (but at once for kTokenExpired), or by force at
  // `deadline`. Of several calls the earliest `at` counts, with its reason, and the earliest `deadline`.
  void close_at(Tick at, CloseReason reason, Tick deadline);
  // Ends it now. A reset drops the bytes that the kernel has not delivered yet.
  void end(CloseReason reason, bool by_reset);

  const Cursor& cursor(std::uint32_t subscription) const {
    return reader_.subscriptions()[subscription].cursor;
  }
  const Encoding& encoding() const { return encoding_; }
  bool is_waiting() const { return state_ == State::kWaiting; }
  bool follows_many() const { return reader_.follows_many(); }
  bool is_blocked() const { return is_blocked_; }
  bool awaits_log(std::uint32_t subscription) const { return reader_.awaits_log(subscription); }
  // When a blocked client's socket took its last byte.
  Tick blocked_since() const { return blocked_since_; }
  // True if it holds more than a few bytes outside the logs.
  bool holds_memory() const;
  // True if the log must keep the entries after the cursor: the client lags, within its queue's limits.
  bool needs_log(std::uint32_t subscription) const;
  // Ends a blocked client whose channel has the policy "disconnect" once its lag passes the limits. Other
  // policies act at the next read.
  void check_queue(std::uint32_t subscription);

  // The facts about this client.
  std::size_t channels() const { return reader_.subscriptions().size(); }
  const std::string& channel_name(std::size_t i) const {
    return reader_.channel_name(static_cast<std::uint32_t>(i));
  }
  const IpAddress& address() const { return address_; }
  std::chrono::milliseconds age() const;
  std::uint64_t messages() const { return messages_; }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t gaps() const { return std::uint64_t{shared_gaps_} + reader_.gaps(); }
  // Leaves out the name of the channel: `channel_index` identifies it.
  SlowClient lag(std::size_t& channel_index) const;
  // Adds what waits in the logs for this client, of all its channels.
  struct Backlog {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
  };
  void add_backlog(Backlog& backlog) const;

  // The shard's bookkeeping.
  std::uint32_t index_in_shard = 0;
  std::uint32_t index_in_blocked = 0;
  bool is_dirty = false;
  void set_dirty(std::uint32_t subscription) { reader_.subscriptions()[subscription].is_dirty = true; }
  void set_index_in_feed(std::uint32_t subscription, std::size_t index) {
    reader_.subscriptions()[subscription].index_in_feed = static_cast<std::uint32_t>(index);
  }

 private:
  enum class State : std::uint8_t { kWaiting, kStreaming, kClosing, kLingering, kEnded };
  using Socket = asio::basic_stream_socket<asio::ip::tcp, asio::io_context::executor_type>;
  struct OnReadable;

  // Beginning.
  void begin_stream();
  std::string first_comment() const;
  void refuse();

  // Sending.
  std::size_t write(std::string_view bytes);
  bool flush();
  bool send_slice(Slice& slice);
  Slice* slice_at_hand();
  bool send_out(const std::vector<Outgoing>& out);
  void keep_rest(const LogEntry& entry, std::uint32_t subscription, std::string_view unsent);
  void on_sent(const LogEntry& entry, std::uint32_t subscription);
  void count_bytes(std::size_t bytes);
  void count_gaps(const std::vector<LogEntry>& entries, std::size_t first, std::size_t end);
  void count_entry(const LogEntry& entry);
  void append_own(std::string_view blocks);
  std::size_t own_bytes() const { return outbox_.own_bytes() + reader_.list_bytes(); }
  void count_own_bytes();
  void set_blocked();
  void clear_blocked();
  void observe_lag();

  // Events besides messages.
  void tell_replayed();
  void tell_expiring();
  bool owes_bus_state() const;
  void tell_bus_state();

  // History.
  void tell_position();
  void ask_history();
  void on_history(bool is_readable);

  // Ending.
  void wait_readable();
  void on_readable();
  bool has_expired() const {
    return state_ == State::kClosing && close_reason_ == CloseReason::kTokenExpired;
  }
  void begin_close(CloseReason reason, Tick deadline);
  void write_last();
  void linger();
  void schedule();

  Shard& shard_;
  Socket socket_;
  Reader reader_;
  Outbox outbox_;
  std::unique_ptr<ClientStart> start_;  // Until the stream begins.
  Lease lease_;
  Tick sent_at_ = 0;        // When the last bytes were sent.
  Tick blocked_since_ = 0;  // When it last made progress while blocked.
  std::uint64_t messages_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint32_t shared_gaps_ = 0;        // Gaps shared by all clients of a channel.
  std::uint32_t own_bytes_counted_ = 0;  // In HeldMemory, while blocked.
  Tick joined_at_ = 0;
  IpAddress address_;
  Tick close_at_ = kNoTick;
  Tick close_deadline_ = kNoTick;
  Tick deadline_ = 0;             // For waiting, closing and lingering.
  Tick expiring_at_ = kNoTick;    // When to tell that the token expires.
  std::uint32_t expires_at_ = 0;  // In Unix seconds.
  std::uint32_t jitter_;
  InPlaceMemory<88> wait_memory_;
  Encoding encoding_;
  State state_ = State::kWaiting;
  CloseReason close_reason_ = CloseReason::kClientGone;
  bool is_blocked_ = false;  // A wait for the socket is pending: it is full, or others have their turn.
  bool is_told_bus_down_ = false;
  bool is_last_written_ = false;  // The end of the body is in the outbox.
};

}  // namespace weir
