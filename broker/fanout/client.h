// One SSE stream: a socket, and one cursor for each channel that it follows.
//
// What it is sent is decided by its cursors alone; it keeps no queue of its own. At most one frame is under
// way: the one that the socket took a part of. Where a client stands:
//
//   waiting     the head is not sent; the bus has not acknowledged every channel yet (at most live_wait)
//   streaming   caught up (its cursor is its feed's position), or lagging: the socket is to take more
//   closing     what is logged so far is still sent (not if it has expired), then a last comment and the end
//   lingering   all is sent; the peer's close is awaited for a moment, so that it reads the end
//
// Threads:   the shard's, all of it.
// Ownership: the shard owns it. Its leases and its place are given back when it is destroyed.
#pragma once

#include <asio/ip/tcp.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "broker/base/ip_address.h"
#include "broker/fanout/batch.h"
#include "broker/fanout/feed.h"
#include "broker/fanout/fetch.h"
#include "broker/fanout/in_place_allocator.h"
#include "broker/fanout/slice.h"
#include "broker/fanout/slow_client.h"
#include "broker/fanout/stats.h"
#include "broker/fanout/stream_request.h"
#include "broker/fanout/timer_wheel.h"
#include "broker/log/channel_log.h"

namespace weir {

class Shard;

// Gives something back when it is let go: a place among the clients, a hold on a channel. (Not a
// std::function, which is larger and takes memory of its own for whatever it calls: 48 bytes for each idle
// stream.)
using Lease = std::shared_ptr<void>;

// A stream on its way to its client. Held until the head is sent.
struct ClientStart {
  StreamRequest request;
  std::vector<ChannelPtr> channels;  // Those that request.channels names, in that order.
  int socket = -1;
  Lease lease;  // Of everything the hub counts for this client.
};

// An entry on its way to one client, and through which of its subscriptions it came.
struct Outgoing {
  LogEntry entry;
  std::uint32_t subscription = 0;
};

class Client : public TimerNode, public std::enable_shared_from_this<Client> {
 public:
  Client(Shard& shard, ClientStart start);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Joins its feeds; begins to stream if all channels are live.
  void join();

  // Hot path, step 5 of docs/life-of-a-message.md, of a client of one channel: `slice` ends where its feed
  // stands. A caught-up client takes it as it is: no lock, no reference count, one system call.
  void send(Slice& slice);

  // Ask for the memory that send() is going to touch; the second one some time after the first.
  void fetch_ahead() const { fetch(this, sizeof(Client)); }
  void fetch_cursor_ahead() const { fetch(subscriptions_.data(), sizeof(Subscription)); }

  // Sends what the logs hold for it, until it has caught up or the socket is full.
  void pump();

  // The bus has come or gone: told at once, or when the socket takes more. Nothing is kept for it but whether
  // the client was told that the bus is away.
  void on_bus_state();
  // The state of one of its channels may have changed: begins or ends the stream.
  void on_channel_state();
  void on_timer(Tick now);
  // Lets the stream end at `at`, by force at `deadline`, if it does not end earlier. What is logged by then
  // is sent before.
  void close_at(Tick at, CloseReason reason, Tick deadline);
  // Ends it now, with a reset where the peer may hold back what was sent.
  void end(CloseReason reason, bool by_reset);

  const Cursor& cursor(std::uint32_t subscription) const { return subscriptions_[subscription].cursor; }
  const Encoding& encoding() const { return encoding_; }
  bool is_waiting() const { return state_ == State::kWaiting; }
  bool follows_many() const { return subscriptions_.size() > 1; }
  bool is_blocked() const { return is_blocked_; }
  // When a blocked client's socket took its last byte.
  Tick blocked_since() const { return blocked_since_; }
  // It holds more than a few bytes that no log holds.
  bool holds_memory() const;
  // The log must keep what follows the cursor: the client lags, but within its queue's limits.
  bool needs_log(std::uint32_t subscription) const;
  // A blocked client's queue may have passed its limits: policy "disconnect" acts now, the others when it
  // reads on.
  void check_queue(std::uint32_t subscription);

  // What it was and got so far.
  std::size_t channels() const { return subscriptions_.size(); }
  const std::string& channel_name(std::size_t i) const { return subscriptions_[i].feed->channel->name; }
  const IpAddress& address() const { return address_; }
  std::chrono::milliseconds age() const;
  std::uint64_t messages() const { return messages_; }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t gaps() const { return gaps_; }
  // Without the name of its channel: `channel_index` says which.
  SlowClient lag(std::size_t& channel_index) const;

  // The shard's bookkeeping.
  std::uint32_t index_in_shard = 0;
  std::uint32_t index_in_blocked = 0;
  bool is_dirty = false;
  void set_dirty(std::uint32_t subscription) { subscriptions_[subscription].is_dirty = true; }
  void set_index_in_feed(std::uint32_t subscription, std::size_t index) {
    subscriptions_[subscription].index_in_feed = static_cast<std::uint32_t>(index);
  }

 private:
  enum class State : std::uint8_t { kWaiting, kStreaming, kClosing, kLingering, kEnded };
  using Socket = asio::basic_stream_socket<asio::ip::tcp, asio::io_context::executor_type>;

  struct Subscription {
    std::shared_ptr<Feed> feed;
    Cursor cursor;
    std::uint32_t index_in_feed = 0;
    bool is_dirty = false;  // The log may hold more than the cursor has seen (clients of several channels).
    bool has_ended = false;
  };
  // While what was logged before the stream began is sent.
  struct Replay {
    Sequence until = 0;             // The gateway's newest sequence when the stream began.
    std::vector<Cursor> live_from;  // Of each subscription: what lies before is history, not lag.
    std::uint64_t replayed = 0;
  };
  struct OnReadable;
  enum class Next : std::uint8_t { kNothing, kEntries, kPrivate };

  // client_start.cpp: from the request to the first bytes.
  void begin_stream();
  std::string first_comment() const;
  Sequence resume(const std::string& last_event_id, std::string& gaps, bool& is_known);
  void resume_one(std::uint32_t subscription, Sequence sequence);
  Sequence replay_last(std::size_t messages);
  void refuse();

  // client_read.cpp: what comes next, from the logs.
  Next read_next(std::vector<Outgoing>& out);
  Next read_one(std::uint32_t subscription, Sequence horizon, std::size_t bytes_max,
                std::vector<Outgoing>& out);
  Next read_many(std::vector<Outgoing>& out);
  bool needs_news(std::uint32_t subscription) const;
  Sequence last_ahead(const Subscription& subscription) const;
  bool is_over_queue(std::uint32_t subscription) const;
  // Jumps over what it can't have; false if there was nothing to jump over.
  bool jump(std::uint32_t subscription, Sequence horizon);
  void land_at_end(std::uint32_t subscription, Skip skip);
  void tell_skip(std::uint32_t subscription, const Cursor& from, const Skip& skip, GapReason reason);
  void tell_skip_of_many(std::uint32_t subscription, const Cursor& from, const Skip& skip, GapReason reason);
  void append_gap(std::string& gaps, std::uint32_t subscription, std::optional<std::uint64_t> missed,
                  GapReason reason);
  void tell_ahead(std::uint32_t subscription, std::string gaps, const Cursor& at, const std::string& id);
  std::string position_of(const Cursor& at) const;
  void take_ahead(std::vector<Outgoing>& out);
  GapReason reason_of_jump(std::uint32_t subscription) const;
  void end_replay();

  // client.cpp: the socket.
  bool flush();
  std::size_t write(std::string_view bytes);
  bool send_slice(Slice& slice);
  Slice* slice_at_hand();
  bool send_out(const std::vector<Outgoing>& out);
  void take_torn(const LogEntry& entry, const Batch& batch, std::size_t index, std::size_t sent,
                 Subscription& subscription);
  void on_taken(const LogEntry& entry, Subscription& subscription);
  void count_bytes(std::size_t bytes);
  void count_gaps(const std::vector<LogEntry>& entries, std::size_t first, std::size_t end);
  void count_entry(const LogEntry& entry);
  void append_private(std::string_view blocks);
  std::size_t own_bytes() const;
  void count_own_bytes();
  void set_blocked();
  void clear_blocked();
  void wait_readable();
  void on_readable();
  void tell_expiring();
  bool owes_bus_state() const;
  void tell_bus_state();
  bool has_expired() const {
    return state_ == State::kClosing && close_reason_ == CloseReason::kTokenExpired;
  }
  void begin_close(CloseReason reason, Tick deadline);
  void write_last();
  void linger();
  void schedule();

  Shard& shard_;
  Socket socket_;
  std::vector<Subscription> subscriptions_;
  // What the socket has not taken yet: the rest of a frame, then bytes of this client's own (head, comments).
  // A frame that was cut before its retry digits, which are this client's own too, has those in front of its
  // rest.
  std::string private_;
  std::size_t private_sent_ = 0;
  FramePtr rest_frame_;
  std::string_view rest_;  // Lies in rest_frame_.
  // Frames to be sent before the logs are read on: what it jumped over, conflated ones (at most kBatchBytes
  // of them, or one, a channel), and ends.
  std::vector<Outgoing> ahead_;
  std::unique_ptr<ClientStart> start_;  // Until the stream begins.
  std::unique_ptr<Replay> replay_;
  Lease lease_;
  Tick sent_at_ = 0;        // The last bytes.
  Tick blocked_since_ = 0;  // The last progress while blocked.
  std::uint64_t messages_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint32_t gaps_ = 0;
  std::uint32_t own_bytes_counted_ = 0;  // In HeldMemory, while blocked.
  Tick joined_at_ = 0;
  IpAddress address_;
  Tick close_at_ = kNever;
  Tick close_deadline_ = kNever;
  Tick deadline_ = 0;             // Of waiting, closing and lingering.
  Tick expiring_at_ = kNever;     // When it is to be told that it expires.
  std::uint32_t expires_at_ = 0;  // In Unix seconds.
  std::uint32_t jitter_;
  InPlaceMemory<88> wait_memory_;
  Encoding encoding_;
  State state_ = State::kWaiting;
  CloseReason close_reason_ = CloseReason::kClientGone;
  std::uint8_t private_before_rest_ = 0;  // So many of the private bytes stand in front of `rest_`.
  bool is_blocked_ = false;  // The socket is full, or others have their turn: a wait for it is pending.
  bool is_told_bus_down_ = false;
  bool is_last_written_ = false;  // The end of the body is among the private bytes.
};

}  // namespace weir
