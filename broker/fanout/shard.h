// One thread, one loop, and the clients it serves for their whole life.
//
// Threads:   start(), stop(), add(), begin_drain(), relieve(), slowest(), unread() and stats() on any thread;
//            wake() and set_bus_up() on the bus thread, or before it starts; the rest on its own.
// Ownership: a shard owns its clients. It shares feeds with their channels.
// Limits:    one turn reads at most kBatchBytes of each feed with news, or one larger frame. The inbox holds
//            each feed once.
#pragma once

#include <array>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "broker/base/mutex.h"
#include "broker/fanout/batch.h"
#include "broker/fanout/channel.h"
#include "broker/fanout/feed.h"
#include "broker/fanout/hint_inbox.h"
#include "broker/fanout/history.h"
#include "broker/fanout/reader.h"
#include "broker/fanout/slice.h"
#include "broker/fanout/slow_client.h"
#include "broker/fanout/stats.h"
#include "broker/fanout/stream_observer.h"
#include "broker/fanout/timer_wheel.h"
#include "broker/log/held_memory.h"

namespace weir {

class Client;
struct ClientStart;

// Those without a default are settings: the hub fills them in.
struct ShardOptions {
  std::string epoch;  // The gateway's, for event ids.
  std::chrono::milliseconds heartbeat;
  std::chrono::milliseconds retry;
  std::chrono::milliseconds drain_retry;  // 0: as retry.
  std::chrono::milliseconds stuck;
  std::chrono::milliseconds max_stream;  // 0: never.
  std::size_t socket_unsent_bytes;
  // A response head waits this long for the bus to acknowledge its channels.
  std::chrono::milliseconds live_wait{2'000};
  // How long before the end to tell a client that its token expires, and how long its last bytes may take.
  std::chrono::milliseconds expiry_notice{30'000};
  std::chrono::milliseconds expiry_grace{2'000};
  StreamObserver* observer = nullptr;  // Outlives the shard.
  History* history = nullptr;          // Outlives the shard. Null: no channel has one.
  // Counts the memory that clients hold outside the logs. All shards share it.
  std::shared_ptr<HeldMemory> held = std::make_shared<HeldMemory>();
  // The bytes of earlier turns' frames that the slice keeps, for clients that lag a little.
  std::size_t slice_bytes = 192 << 10;
};

class Shard {
 public:
  // `appended` is the sequence of the newest entry that is wholly in its log. It outlives the shard.
  Shard(ShardOptions options, const std::atomic<Sequence>& appended, std::uint32_t seed);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  void start();
  // Ends the remaining clients, and the thread.
  void stop();

  // Takes over a client, its socket and its leases.
  void add(ClientStart start);

  // The feeds with news. The shard reads it after wake().
  HintInbox& inbox() { return inbox_; }
  // Has the shard look into its inbox soon, unless it is empty.
  void wake();

  // See HintInbox::unread().
  Sequence unread() const { return inbox_.unread(); }

  // Ends the clients that have been blocked longest, soon, until all together are within HeldMemory's limit.
  void relieve();

  // Tells each stream once that the bus is there, or has gone: after the messages that were read before it
  // went, and before those that it brings when it is back. Of changes in quick succession only the last one
  // is told. Call it between appends.
  void set_bus_up(bool is_up);

  // Closes the clients one by one over `duration`, each after everything that is logged for it, and by force
  // at its end.
  void begin_drain(std::chrono::milliseconds duration);

  // Its clients, and those about to join it.
  std::size_t expected_clients() const { return expected_clients_.load(std::memory_order_relaxed); }

  // At most kSlowestMax of the clients that wait for their socket, the slowest first; up to a second old.
  std::vector<SlowClient> slowest() const;

  ShardStats& stats() { return stats_; }
  const ShardStats& stats() const { return stats_; }

  // For its clients, on its own thread.
  const ShardOptions& options() const { return options_; }
  asio::io_context& loop() { return loop_; }
  TimerWheel& wheel() { return wheel_; }
  // The present tick. It is at most one tick behind the clock.
  Tick tick() const { return wheel_.now(); }
  static Tick ticks(std::chrono::milliseconds duration);
  std::uint32_t random() { return static_cast<std::uint32_t>(random_()); }
  Sequence appended() const { return appended_.load(std::memory_order_acquire); }
  bool is_bus_up() const { return is_bus_up_.load(std::memory_order_acquire); }
  // True if the bus is away, and earlier messages were sent to every client that keeps up.
  bool is_bus_down() const { return is_bus_down_ && !is_bus_up(); }
  // A client that has just begun was told before the others.
  void note_bus_down() { is_newcomer_told_down_ = true; }
  std::shared_ptr<Feed> follow(const ChannelPtr& channel);
  void unfollow(Feed& feed, std::size_t index);
  void remove(Client& client);
  // `client` begins to wait for its socket, or no longer waits.
  void add_blocked(Client& client);
  void remove_blocked(Client& client);
  // `client` follows several channels and has news in one: pump it at the end of this turn.
  void mark_dirty(Client& client);
  // Makes the log keep the entries after `cursor`, from which a client will read.
  void lower_floor(const std::shared_ptr<Feed>& feed, const Cursor& cursor);
  // The slice sent last, if it holds everything of `feed` from `cursor` to its position; else null.
  Slice* slice_of(const Feed& feed, const Cursor& cursor);
  // Scratch memory of one send. Do not keep it over a return to the loop.
  ReadContext& read_context() { return read_context_; }
  std::vector<Outgoing>& scratch_outgoing() { return scratch_outgoing_; }
  Batch& scratch_batch() { return scratch_batch_; }

 private:
  void look_at_bus();
  void tell_bus_state();
  bool is_bus_back() const { return (is_bus_down_ || is_newcomer_told_down_) && is_bus_up(); }
  void drain_inbox();
  static void fetch_parts(const Feed& feed);
  void serve(const std::shared_ptr<Feed>& feed);
  void drop_slice();
  void send_to_followers(Feed& feed);
  bool read_on(Feed& feed);
  void send_to(Feed& feed, std::size_t index);
  void tell_channel_state(Feed& feed);
  void pump_followers(Feed& feed);
  void pump_awaiting_log(Feed& feed);
  void publish_floor(const std::shared_ptr<Feed>& feed);
  bool is_floor_near(const Feed& feed) const;
  void look_again(const std::shared_ptr<Feed>& feed);
  void set_floor(const std::shared_ptr<Feed>& feed, const Cursor& floor);
  void observe_delivery(SteadyTime arrived);
  void hint_again(const std::shared_ptr<Feed>& feed);
  void note_slowest();
  void end_longest_blocked();
  SteadyTime time_of(Tick tick) const { return started_ + tick * kTickLength; }
  void arm_timer();
  void wait_tick();
  void on_timer();
  Tick clock_tick() const;
  void close_over(std::chrono::milliseconds duration);

  const ShardOptions options_;
  const std::atomic<Sequence>& appended_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  asio::io_context loop_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  asio::steady_timer timer_;
  std::thread thread_;
  std::minstd_rand random_;

  HintInbox inbox_;
  std::atomic<bool> is_awake_{false};  // drain_inbox() is about to run.
  std::atomic<bool> is_relief_asked_{false};

  std::atomic<bool> is_bus_up_{true};
  std::atomic<bool> is_look_due_{false};  // look_at_bus() is about to run.
  bool is_bus_down_ = false;              // Clients were told that it is away, not yet that it is back.
  bool is_newcomer_told_down_ = false;    // One was, before the others.

  std::atomic<std::size_t> expected_clients_{0};

  mutable Mutex slowest_mutex_;
  std::vector<SlowClient> slowest_ GUARDED_BY(slowest_mutex_);

  // The oldest entry of the feeds that need more than one turn.
  Sequence unread_in_turn_ = HintInbox::kNothingUnread;
  // When the oldest message of this turn arrived that clients of several channels follow; max() without one.
  SteadyTime merged_arrived_;
  // Each is shared with its channel and with the readers of its clients.
  std::unordered_map<const Channel*, std::shared_ptr<Feed>> feeds_;
  // Each is shared with the waits for its socket.
  std::vector<std::shared_ptr<Client>> clients_;
  // Destroyed on a later turn: their code may still be on the stack.
  std::vector<std::shared_ptr<Client>> ended_;
  // Feeds whose floor is below their position. The timer looks at them again.
  std::vector<std::shared_ptr<Feed>> low_feeds_;
  std::vector<Client*> dirty_;
  std::vector<Client*> blocked_;
  TimerWheel wheel_;
  bool is_draining_ = false;
  bool is_stopped_ = false;
  Tick drain_ends_ = 0;

  std::vector<std::shared_ptr<Feed>> turn_;
  Slice slice_;                       // The entries of the feed served last.
  const Feed* slice_feed_ = nullptr;  // That feed; null if it is gone.
  ShardStats stats_;
  ReadContext read_context_;
  std::vector<Outgoing> scratch_outgoing_;
  Batch scratch_batch_;
};

}  // namespace weir
