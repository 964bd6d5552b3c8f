#include "broker/fanout/shard.h"

#include <unistd.h>

#include <algorithm>
#include <asio/post.hpp>
#include <cassert>
#include <utility>

#include "broker/fanout/client.h"
#include "process/thread.h"

namespace weir {

namespace {

// How often to look again at floors that may be lower than needed.
constexpr Tick kFloorTicks = 10;
// How often to prepare the result of slowest().
constexpr Tick kSlowestTicks = 10;
// After this many clients the shard looks for newer messages.
constexpr std::size_t kLookEvery = 32;
// How many turns ahead to prefetch a client or a feed, in two steps: the second follows pointers that the
// first brought in. Among very many, none is in the cache when its turn comes.
constexpr std::size_t kFetchAhead = 2;

}  // namespace

Shard::Shard(ShardOptions options, const std::atomic<Sequence>& appended, std::uint32_t seed)
    : options_(std::move(options)),
      appended_(appended),
      work_(asio::make_work_guard(loop_)),
      timer_(loop_),
      random_(seed),
      inbox_(appended),
      read_context_{.epoch = options_.epoch,
                    .frames = options_.held->frames(),
                    .gaps = &stats_.gaps,
                    .missed = &stats_.missed,
                    .history = options_.history} {}

Shard::~Shard() { stop(); }

void Shard::start() {
  thread_ = start_thread("weir-shard", [this] { loop_.run(); });
}

void Shard::stop() {
  if (is_stopped_) return;
  if (thread_.joinable()) {
    asio::post(loop_, [this] { loop_.stop(); });
    thread_.join();
  }
  // From here on the calling thread acts as the shard's.
  is_stopped_ = true;
  while (!clients_.empty()) clients_.back()->end(CloseReason::kShutdown, false);
  timer_.cancel();
  work_.reset();
  // Handlers that have not run yet hold clients, which hold feeds and leases.
  loop_.restart();
  loop_.poll();
  ended_.clear();
  turn_.clear();
  low_feeds_.clear();
  drop_slice();
  inbox_.clear();
}

Tick Shard::ticks(std::chrono::milliseconds duration) {
  return static_cast<Tick>(std::max<std::chrono::milliseconds::rep>(1, duration / kTickLength));
}

void Shard::add(ClientStart start) {
  expected_clients_.fetch_add(1, std::memory_order_relaxed);
  asio::post(loop_, [this, start = std::move(start)]() mutable {
    if (is_stopped_) {
      ::close(start.socket);
      return;
    }
    if (clients_.empty()) arm_timer();
    auto client = std::make_shared<Client>(*this, std::move(start));
    client->index_in_shard = static_cast<std::uint32_t>(clients_.size());
    clients_.push_back(client);
    client->join();
    if (is_draining_) client->close_at(tick() + 1, CloseReason::kDrain, drain_ends_);
  });
}

void Shard::wake() {
  if (inbox_.empty()) return;
  if (!is_awake_.exchange(true)) asio::post(loop_, [this] { drain_inbox(); });
}

void Shard::set_bus_up(bool is_up) {
  is_bus_up_.store(is_up, std::memory_order_release);
  if (!is_look_due_.exchange(true)) asio::post(loop_, [this] { look_at_bus(); });
}

void Shard::look_at_bus() {
  is_look_due_.exchange(false);  // Not a plain store: everything below must come after the change.
  if (is_bus_up() || inbox_.empty()) return tell_bus_state();
  // First serve the messages from before the loss; then look again.
  wake();
  if (!is_look_due_.exchange(true)) asio::post(loop_, [this] { look_at_bus(); });
}

void Shard::tell_bus_state() {
  is_bus_down_ = !is_bus_up();
  is_newcomer_told_down_ = false;
  // Backwards: a client that ends leaves its place to the last one, which has had its turn.
  for (std::size_t i = clients_.size(); i-- > 0;) clients_[i]->on_bus_state();
}

// Hot path, step 4 of docs/life-of-a-message.md: reads each hinted log once, for all caught-up clients.
void Shard::drain_inbox() {
  is_awake_ = false;
  // Read the sequence before the inbox: a sequence is published before its hint is left, so of all entries up
  // to the horizon only the one at the horizon may still lack its hint.
  const Sequence newest = appended();
  // Before the turn begins, and before the messages that the bus brought up to `newest`.
  if (is_bus_back()) tell_bus_state();
  read_context_.horizon = newest;
  unread_in_turn_ = HintInbox::kNothingUnread;
  merged_arrived_ = SteadyTime::max();
  inbox_.take(turn_);
  for (std::size_t i = 0; i < turn_.size(); ++i) {
    if (i + 2 * kFetchAhead < turn_.size()) fetch(turn_[i + 2 * kFetchAhead].get(), sizeof(Feed));
    if (i + kFetchAhead < turn_.size()) fetch_parts(*turn_[i + kFetchAhead]);
    serve(turn_[i]);
  }
  for (std::size_t i = 0; i < dirty_.size(); ++i) {
    dirty_[i]->is_dirty = false;
    dirty_[i]->pump();
  }
  dirty_.clear();
  if (merged_arrived_ != SteadyTime::max()) observe_delivery(merged_arrived_);
  for (const auto& feed : turn_) {
    if (is_floor_near(*feed)) {
      look_again(feed);
    } else {
      publish_floor(feed);
    }
  }
  turn_.clear();
  // Hints left meanwhile are for the horizon's own entry or later ones.
  inbox_.end_turn(std::min(read_context_.horizon, unread_in_turn_));
  wake();  // For feeds that were hinted again.
}

void Shard::fetch_parts(const Feed& feed) {
  fetch(feed.channel.get(), sizeof(Channel));
  if (!feed.followers.empty()) feed.followers.back().client->fetch_ahead();
}

void Shard::serve(const std::shared_ptr<Feed>& feed) {
  feed->is_hinted = false;  // Before the log is read: a later append leaves a new hint.
  if (feed->followers.empty()) return;
  if (feed->waiting > 0 || feed->channel->is_refused) tell_channel_state(*feed);
  if (slice_feed_ == feed.get()) {
    slice_.go_on(feed->position, options_.slice_bytes);
  } else {
    slice_.begin(feed->position);
    slice_feed_ = feed.get();
  }
  const auto result = slice_.read(feed->channel->log, read_context_.horizon);
  if (feed->awaiting_log > 0) pump_awaiting_log(*feed);
  if (result.is_forgotten) {
    // The shard itself came too late. Each client finds out what it missed.
    feed->position = feed->channel->log.skip(feed->position, false, read_context_.horizon).to;
    pump_followers(*feed);
    hint_again(feed);
    return;
  }
  if (result.has_more) hint_again(feed);
  if (slice_.first_of_turn() == slice_.entries().size()) return;
  feed->position = slice_.last().at;
  const SteadyTime arrived = slice_.entries()[slice_.first_of_turn()].arrived;
  // Clients of several channels are sent to at the end of the turn.
  const bool has_others = feed->merging < feed->followers.size();
  if (feed->merging > 0) merged_arrived_ = std::min(merged_arrived_, arrived);
  send_to_followers(*feed);
  if (has_others) observe_delivery(arrived);
  if (options_.slice_bytes == 0) drop_slice();
}

Slice* Shard::slice_of(const Feed& feed, const Cursor& cursor) {
  const bool is_there = slice_feed_ == &feed && !slice_.empty() && slice_.holds_all_after(cursor) &&
                        slice_.last().at.sequence == feed.position.sequence;
  return is_there ? &slice_ : nullptr;
}

// Releases the slice's frames. Never call it while the slice is being sent.
void Shard::drop_slice() {
  slice_.clear();
  slice_feed_ = nullptr;
}

void Shard::send_to_followers(Feed& feed) {
  const std::size_t followers = feed.followers.size();
  std::size_t had_less = followers;  // Followers from here on had their turn before the slice grew.
  // Backwards: a client that ends leaves its place to the last one, which has had its turn.
  for (std::size_t i = feed.followers.size(); i-- > 0;) {
    if (i % kLookEvery == kLookEvery - 1 && read_on(feed)) had_less = i + 1;
    if (i >= 2 * kFetchAhead) feed.followers[i - 2 * kFetchAhead].client->fetch_ahead();
    if (i >= kFetchAhead) feed.followers[i - kFetchAhead].client->fetch_cursor_ahead();
    send_to(feed, i);
  }
  if (had_less == followers) return;
  if (feed.followers.size() < followers) had_less = 0;  // Some have changed places.
  for (std::size_t i = feed.followers.size(); i-- > had_less;) send_to(feed, i);
}

// Newer messages arrive while a batch is being sent to many clients. Clients that have not had their
// turn get them with the batch, the others in a second, small batch. Two passes over all the clients
// would be twice the calls.
bool Shard::read_on(Feed& feed) {
  // A merge of several channels ends at the turn's horizon.
  if (!feed.is_hinted || feed.merging > 0 || slice_.is_full()) return false;
  const std::size_t before = slice_.entries().size();
  const Sequence newest = appended();
  if (is_bus_back()) return false;  // First tell of its return, then send its messages.
  slice_.read(feed.channel->log, newest);
  if (slice_.entries().size() == before) return false;
  feed.position = slice_.last().at;
  return true;
}

void Shard::send_to(Feed& feed, std::size_t index) {
  const auto [client, subscription] = feed.followers[index];
  if (client->is_waiting()) return;
  if (client->follows_many()) {
    client->set_dirty(subscription);
    if (client->is_blocked()) {
      client->check_queue(subscription);
    } else {
      mark_dirty(*client);
    }
  } else if (client->is_blocked()) {
    client->check_queue(subscription);
  } else {
    client->send(slice_);
  }
}

void Shard::pump_followers(Feed& feed) {
  for (std::size_t i = feed.followers.size(); i-- > 0;) {
    const auto [client, subscription] = feed.followers[i];
    client->set_dirty(subscription);
    if (client->is_waiting() || client->is_blocked()) continue;
    // Some of several channels may not have been looked at in this turn.
    if (client->follows_many()) {
      mark_dirty(*client);
    } else {
      client->pump();
    }
  }
}

// The log has begun, or come up to what they have read elsewhere.
void Shard::pump_awaiting_log(Feed& feed) {
  for (std::size_t i = feed.followers.size(); i-- > 0;) {
    const auto [client, subscription] = feed.followers[i];
    if (!client->awaits_log(subscription) || client->is_waiting() || client->is_blocked()) continue;
    if (client->follows_many()) {
      mark_dirty(*client);
    } else {
      client->pump();
    }
  }
}

void Shard::tell_channel_state(Feed& feed) {
  for (std::size_t i = feed.followers.size(); i-- > 0;) feed.followers[i].client->on_channel_state();
}

void Shard::mark_dirty(Client& client) {
  if (client.is_dirty) return;
  client.is_dirty = true;
  dirty_.push_back(&client);
}

void Shard::hint_again(const std::shared_ptr<Feed>& feed) {
  unread_in_turn_ = std::min(unread_in_turn_, feed->position.sequence + 1);
  if (!feed->is_hinted.exchange(true)) inbox_.add(feed);
}

// Tells the log which entries are still needed: all after the position, and after the cursors of clients that
// lag within their queue's limits.
void Shard::publish_floor(const std::shared_ptr<Feed>& feed) {
  if (feed->followers.empty()) return;
  Cursor floor = feed->position;
  if (feed->blocked > 0) {
    for (const auto& [client, subscription] : feed->followers) {
      const Cursor& cursor = client->cursor(subscription);
      if (cursor.sequence < floor.sequence && client->needs_log(subscription)) floor = cursor;
    }
  }
  set_floor(feed, floor);
}

// Saves telling the log after each message: a floor up to half the history behind the position keeps nothing
// that the history does not keep anyway. The timer sees to entries that grow too old.
bool Shard::is_floor_near(const Feed& feed) const {
  const ChannelLog::Limits& limits = feed.channel->log.limits();
  return feed.blocked == 0 && feed.position.ordinal - feed.floor.ordinal <= limits.history_messages / 2 &&
         feed.position.bytes - feed.floor.bytes <= limits.history_bytes / 2;
}

void Shard::lower_floor(const std::shared_ptr<Feed>& feed, const Cursor& cursor) {
  if (cursor.sequence < feed->floor.sequence) set_floor(feed, cursor);
}

void Shard::set_floor(const std::shared_ptr<Feed>& feed, const Cursor& floor) {
  feed->floor = floor;
  feed->channel->log.set_floor(feed.get(), floor);
  look_again(feed);
}

// Leaves a floor that may be lower than needed to the timer.
void Shard::look_again(const std::shared_ptr<Feed>& feed) {
  if (feed->floor.sequence >= feed->position.sequence || feed->is_low || feed->followers.empty()) return;
  feed->is_low = true;
  low_feeds_.push_back(feed);
}

std::shared_ptr<Feed> Shard::follow(const ChannelPtr& channel) {
  auto& feed = feeds_[channel.get()];
  if (!feed) {
    feed = std::make_shared<Feed>(inbox_, channel);
    // Add the feed first, then take its position, and not the log's end: an entry that is logged but not
    // published yet still gets a hint, which must find the feed.
    channel->add_feed(feed);
    feed->position = channel->log.at(appended());
    set_floor(feed, feed->position);
  }
  return feed;
}

void Shard::unfollow(Feed& feed, std::size_t index) {
  auto& followers = feed.followers;
  if (followers[index].client->follows_many()) --feed.merging;
  followers[index] = followers.back();
  followers[index].client->set_index_in_feed(followers[index].subscription, index);
  followers.pop_back();
  if (followers.capacity() > 64 && followers.size() * 4 < followers.capacity()) followers.shrink_to_fit();
  if (!followers.empty()) return;
  if (slice_feed_ == &feed) slice_feed_ = nullptr;
  feed.channel->log.remove_floor(&feed);
  feed.channel->remove_feed(&feed);
  feeds_.erase(feed.channel.get());
}

void Shard::remove(Client& client) {
  if (client.is_dirty) std::erase(dirty_, &client);
  if (ended_.empty()) asio::post(loop_, [this] { ended_.clear(); });
  ended_.push_back(clients_[client.index_in_shard]);
  clients_[client.index_in_shard] = clients_.back();
  clients_[client.index_in_shard]->index_in_shard = client.index_in_shard;
  clients_.pop_back();
  expected_clients_.fetch_sub(1, std::memory_order_relaxed);
  stats_.clients.subtract();
}

void Shard::add_blocked(Client& client) {
  client.index_in_blocked = static_cast<std::uint32_t>(blocked_.size());
  blocked_.push_back(&client);
  stats_.slow_clients.add();
}

void Shard::remove_blocked(Client& client) {
  blocked_[client.index_in_blocked] = blocked_.back();
  blocked_[client.index_in_blocked]->index_in_blocked = client.index_in_blocked;
  blocked_.pop_back();
  stats_.slow_clients.subtract();
}

// Copies the names of the shown clients only, since there may be very many slow ones.
void Shard::note_slowest() {
  struct Lagging {
    SlowClient slow;
    const Client* client;
    std::size_t channel;
  };
  std::vector<Lagging> all;
  all.reserve(blocked_.size());
  Client::Backlog waiting;
  for (const Client* client : blocked_) {
    client->add_backlog(waiting);
    std::size_t channel = 0;
    SlowClient slow = client->lag(channel);
    all.push_back({std::move(slow), client, channel});
  }
  stats_.waiting_messages.set(waiting.messages);
  stats_.waiting_bytes.set(waiting.bytes);
  const std::size_t shown = std::min(all.size(), kSlowestMax);
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(shown), all.end(),
                    [](const Lagging& a, const Lagging& b) { return is_slower(a.slow, b.slow); });
  std::vector<SlowClient> slowest;
  slowest.reserve(shown);
  for (std::size_t i = 0; i < shown; ++i) {
    all[i].slow.channel = all[i].client->channel_name(all[i].channel);
    slowest.push_back(std::move(all[i].slow));
  }
  const MutexLock lock(slowest_mutex_);
  slowest_.swap(slowest);
}

std::vector<SlowClient> Shard::slowest() const {
  const MutexLock lock(slowest_mutex_);
  return slowest_;
}

void Shard::relieve() {
  if (!is_relief_asked_.exchange(true)) asio::post(loop_, [this] { end_longest_blocked(); });
}

// Ends the clients that hold memory: of all shards', those that have been blocked for longest first.
void Shard::end_longest_blocked() {
  is_relief_asked_ = false;
  HeldMemory& held = *options_.held;
  if (held.total() <= held.limit() / 2) return held.has_none(this);
  std::vector<Client*> holders;
  for (Client* client : blocked_) {
    if (client->holds_memory()) holders.push_back(client);
  }
  std::sort(holders.begin(), holders.end(),
            [](const Client* a, const Client* b) { return a->blocked_since() < b->blocked_since(); });
  for (Client* client : holders) {
    // Ask even below the limit, so that the other shards know.
    if (!held.is_next(this, time_of(client->blocked_since())) || !held.is_over()) return;
    client->end(CloseReason::kMemory, true);
  }
  held.has_none(this);
}

void Shard::begin_drain(std::chrono::milliseconds duration) {
  asio::post(loop_, [this, duration] { close_over(duration); });
}

void Shard::close_over(std::chrono::milliseconds duration) {
  is_draining_ = true;
  const Tick length = ticks(duration);
  drain_ends_ = tick() + length;
  for (const auto& client : clients_) {
    // Spread at random; the last tenth is left to clients whose socket is full.
    const Tick at = tick() + 1 + random() % std::max<Tick>(1, length * 9 / 10);
    client->close_at(at, CloseReason::kDrain, drain_ends_);
  }
}

void Shard::observe_delivery(SteadyTime arrived) {
  stats_.delivery.observe(std::chrono::steady_clock::now() - arrived);
}

void Shard::arm_timer() {
  // The wheel is empty without clients; let it catch up.
  wheel_.advance(clock_tick(), [](TimerNode&) {});
  wait_tick();
}

Tick Shard::clock_tick() const {
  return ticks(
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started_));
}

void Shard::wait_tick() {
  timer_.expires_after(kTickLength);
  timer_.async_wait([this](const asio::error_code& error) {
    if (!error) on_timer();
  });
}

void Shard::on_timer() {
  const Tick now = clock_tick();
  const bool is_floor_time = now / kFloorTicks != tick() / kFloorTicks;
  const bool is_slowest_time = now / kSlowestTicks != tick() / kSlowestTicks;
  wheel_.advance(now, [&](TimerNode& node) { static_cast<Client&>(node).on_timer(now); });
  end_longest_blocked();
  if (is_floor_time && !low_feeds_.empty()) {
    const auto low = std::exchange(low_feeds_, {});
    for (const auto& feed : low) {
      feed->is_low = false;
      publish_floor(feed);
    }
  }
  if (is_slowest_time || clients_.empty()) note_slowest();
  // Once a second: a slice without new messages must not keep its frames.
  if (is_floor_time || clients_.empty()) drop_slice();
  if (!clients_.empty()) wait_tick();
}

}  // namespace weir
