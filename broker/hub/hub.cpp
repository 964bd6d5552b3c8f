#include "broker/hub/hub.h"

#include <sys/resource.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "broker/base/logging.h"
#include "broker/base/metrics.h"
#include "broker/fanout/client.h"
#include "broker/hub/hub_state.h"
#include "process/processors.h"
#include "proto/channel_name.h"
#include "proto/envelope.h"

namespace weir {

namespace {

// A share of the buckets of the map that each tick looks at for old frames, so that no tick is long.
constexpr std::size_t kTicksPerRound = 16;

// Channels that come and go faster than the bus can follow (its thread is busy, Redis does not answer): past
// twice max_channels, and these, newcomers are refused.
constexpr std::size_t kHeldSlack = 1'024;

std::size_t shards_of(const Config& config) {
  return config.shards != 0 ? config.shards : usable_processors();
}

// --max-clients, but below the descriptor limit with a reserve for Redis, requests, files and the loops,
// which are three descriptors each.
std::size_t clients_max_of(const Config& config) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) limit.rlim_cur = 1 << 20;
  const auto descriptors = static_cast<std::size_t>(limit.rlim_cur);
  const std::size_t reserve = std::clamp<std::size_t>(descriptors / 64, 64, 256) + 3 * shards_of(config);
  const std::size_t most = descriptors > reserve ? descriptors - reserve : 1;
  return config.max_clients == 0 ? most : std::min(config.max_clients, most);
}

ChannelLog::Limits limits_of(const ChannelSettings& settings) {
  ChannelLog::Limits limits;
  limits.history_messages = settings.history_messages;
  limits.history_bytes = settings.history_bytes;
  limits.history_age = settings.history_seconds;
  limits.queue_messages = settings.queue_messages;
  limits.queue_bytes = settings.queue_bytes;
  limits.keeps_latest = settings.slow_client == SlowClientPolicy::kLatest;
  return limits;
}

// What clients may hold beside the logs: a quarter of the memory limit, but two of the largest frames in any
// case.
std::size_t held_max_of(const Config& config) {
  return std::max(config.memory_limit / 4, 2 * config.max_message_bytes);
}

// What a shard keeps at hand counts against the memory limit and can't be evicted: at most a 16th of it.
constexpr std::size_t kSlicesPerLimit = 16;

ShardOptions shard_options_of(const Config& config, std::size_t shards, const std::string& epoch,
                              StreamObserver& observer, const std::shared_ptr<HeldMemory>& held) {
  ShardOptions options;
  options.held = held;
  options.epoch = epoch;
  options.heartbeat = config.heartbeat;
  options.retry = config.retry;
  options.stuck = config.stuck;
  options.max_stream = config.max_stream;
  options.socket_unsent_bytes = config.socket_unsent_bytes;
  options.observer = &observer;
  if ((options.slice_bytes + kBatchBytes) * kSlicesPerLimit * shards > config.memory_limit)
    options.slice_bytes = 0;
  return options;
}

}  // namespace

Hub::State::State(const Config& settings, std::uint64_t random)
    : config(settings),
      epoch(make_epoch(random)),
      clients_max(clients_max_of(settings)),
      budget(settings.memory_limit, held_max_of(settings)),
      held(std::make_shared<HeldMemory>(budget.counter(), held_max_of(settings))),
      access_log(settings.access_log == "on", settings.access_log_per_second),
      connect_rate(settings.max_connects_per_second),
      channel_rules(settings.channel_rules) {
  const std::size_t count = shards_of(config);
  for (std::size_t i = 0; i < count; ++i) {
    const auto seed = static_cast<std::uint32_t>(random >> 16) + static_cast<std::uint32_t>(i) + 1;
    shards.push_back(
        std::make_unique<Shard>(shard_options_of(config, count, epoch, access_log, held), appended, seed));
  }
}

Hub::State::Held::~Held() {
  const auto now = std::chrono::steady_clock::now();
  const MutexLock lock(state.mutex);
  for (const OpenChannelPtr& open : channels) {
    open->channel->clients.fetch_sub(1, std::memory_order_relaxed);
    if (--open->holders == 0) state.begin_lingering(open, now);
  }
}

OpenChannelPtr Hub::State::find(std::string_view name) const {
  const MutexLock lock(mutex);
  const auto found = channels.find(name);
  return found == channels.end() ? nullptr : found->second;
}

OpenChannelPtr Hub::State::find_or_open(std::string_view name, SteadyTime now) {
  const auto found = channels.find(name);
  if (found == channels.end()) return make_channel(name, now);
  const OpenChannel& open = *found->second;
  if (!open.channel->is_refused || open.holders > 0) return found->second;
  // Refused to whoever came before, perhaps no longer: the bus is asked again.
  close(found->second);
  return make_channel(name, now);
}

// By value: what the map and the list hold of it goes.
void Hub::State::close(OpenChannelPtr open) {
  end_lingering(*open);
  bus->unsubscribe(open->channel->name);
  channels.erase(channels.find(open->channel->name));
}

void Hub::State::begin_lingering(const OpenChannelPtr& open, SteadyTime now) {
  open->idle_since = now;
  if (open->is_recorded) return;
  open->in_lingering = lingering.insert(lingering.end(), open);
  open->is_lingering = true;
}

void Hub::State::end_lingering(OpenChannel& open) {
  if (std::exchange(open.is_lingering, false)) lingering.erase(open.in_lingering);
}

OpenChannelPtr Hub::State::make_channel(std::string_view name, SteadyTime now) {
  if (bus->state().subscriptions_held >= 2 * config.max_channels + kHeldSlack) return nullptr;
  if (channels.size() >= config.max_channels && !make_room(now)) return nullptr;
  const ChannelSettings& settings = settings_of(channel_rules, config.channel, name);
  auto open = std::make_shared<OpenChannel>();
  open->channel = std::make_shared<Channel>(std::string(name), limits_of(settings), settings.slow_client);
  open->envelope = settings.envelope;
  open->idle_since = now;
  for (const std::string& pattern : config.record) {
    open->is_recorded |= matches_pattern(pattern, name);
    open->is_pinned |= pattern == name;
  }
  channels.emplace(name, open);
  bus->subscribe(std::string(name));
  return open;
}

EnvelopeMode Hub::State::envelope_of(std::string_view name) const {
  const MutexLock lock(mutex);
  const auto found = channels.find(name);
  return found != channels.end() ? found->second->envelope
                                 : settings_of(channel_rules, config.channel, name).envelope;
}

// Recorded channels that nobody watches make room for others: the sixteenth that had its last message longest
// ago.
bool Hub::State::make_room(SteadyTime now) {
  std::vector<std::pair<Sequence, OpenChannelPtr>> candidates;
  for (const auto& [name, open] : channels) {
    if (!open->is_recorded || open->is_pinned || open->holders > 0 || open->idle_since == now) continue;
    candidates.emplace_back(open->channel->log.counts().last_sequence, open);
  }
  if (candidates.empty()) {
    if (!std::exchange(is_full_logged, true))
      log_warning("--max-channels is reached: new channels are refused");
    return false;
  }
  const auto count = static_cast<std::ptrdiff_t>(candidates.size() / 16 + 1);
  std::nth_element(candidates.begin(), candidates.begin() + (count - 1), candidates.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (std::ptrdiff_t i = 0; i < count; ++i) close(candidates[static_cast<std::size_t>(i)].second);
  return true;
}

// Drops the channels whose linger has passed.
void Hub::State::close_idle(SteadyTime now) {
  const MutexLock lock(mutex);
  while (!lingering.empty() && now - lingering.front()->idle_since >= config.linger) close(lingering.front());
}

void Hub::State::forget_old(SteadyTime now) {
  std::vector<OpenChannelPtr> some;
  {
    const MutexLock lock(mutex);
    const std::size_t buckets = channels.bucket_count();
    for (std::size_t i = 0; i <= buckets / kTicksPerRound; ++i) {
      bucket = (bucket + 1) % buckets;
      for (auto it = channels.begin(bucket); it != channels.end(bucket); ++it) some.push_back(it->second);
    }
  }
  for (const OpenChannelPtr& open : some) open->channel->log.forget_old(now);
}

void Hub::State::give_back_place(AddressCounts::Entry* of_address) {
  if (of_address != nullptr) addresses.give_back(of_address);
  if (places.fetch_sub(1) != 1 || !is_draining) return;
  std::function<void()> done;
  {
    const MutexLock lock(drain_mutex);
    done.swap(drain_done);
  }
  if (done) done();
}

Hub::Hub(const Config& config, std::uint64_t random) : state_(std::make_unique<State>(config, random)) {}

Hub::~Hub() { stop(); }

void Hub::set_bus(Bus& bus) {
  state_->bus = &bus;
  for (const auto& shard : state_->shards) shard->set_bus_up(bus.state().is_receiving);
  for (const std::string& pattern : state_->config.record) bus.record(pattern);
}

void Hub::start() {
  for (const auto& shard : state_->shards) shard->start();
}

void Hub::stop() {
  for (const auto& shard : state_->shards) shard->stop();
  state_->access_log.tell_left_out();
}

Gateway::Admission Hub::admit(const IpAddress& client) {
  State* const state = state_.get();
  if (state->is_draining) return {std::nullopt, NoPlace::kDraining};
  AddressCounts::Entry* of_address = nullptr;
  if (const std::size_t most = state->config.max_clients_per_address; most != 0) {
    of_address = state->addresses.take(client_network(client), most);
    if (of_address == nullptr) return {std::nullopt, NoPlace::kClientsPerAddress};
  }
  const bool is_full = state->places.fetch_add(1) >= state->clients_max;
  Place place([state, of_address] { state->give_back_place(of_address); });
  if (is_full) return {std::nullopt, NoPlace::kClients};
  // Last, so that who is refused for another reason takes nobody's turn.
  if (!state->connect_rate.take(std::chrono::steady_clock::now())) {
    return {std::nullopt, NoPlace::kConnectsPerSecond};
  }
  return {std::move(place)};
}

bool Hub::open_stream(StreamRequest request, Place place, int socket) {
  std::vector<ChannelPtr> channels;
  auto held = std::make_shared<State::Held>(*state_, std::move(place));
  {
    const auto now = std::chrono::steady_clock::now();
    const MutexLock lock(state_->mutex);
    for (const std::string& name : request.channels) {
      OpenChannelPtr open = state_->find_or_open(name, now);
      if (!open) break;
      state_->end_lingering(*open);
      ++open->holders;
      open->channel->clients.fetch_add(1, std::memory_order_relaxed);
      channels.push_back(open->channel);
      held->channels.push_back(std::move(open));
    }
  }
  if (channels.size() < request.channels.size()) return false;  // `held` gives back what was opened.
  const auto emptiest = std::min_element(
      state_->shards.begin(), state_->shards.end(),
      [](const auto& a, const auto& b) { return a->expected_clients() < b->expected_clients(); });
  (*emptiest)->add({std::move(request), std::move(channels), socket, std::move(held)});
  return true;
}

void Hub::set_channel_rules(std::vector<ChannelRule> rules) {
  const MutexLock lock(state_->mutex);
  state_->channel_rules.swap(rules);  // The old ones are freed without the lock.
}

bool Hub::fits(std::string_view channel, std::string_view payload) const {
  if (!state_->may_be_too_large(payload)) return true;
  const std::size_t most = state_->config.max_message_bytes;
  if (payload.size() > most) return false;
  return encoded_bytes(parse_payload(payload, state_->envelope_of(channel))) <= most;
}

void Hub::publish(std::string channel, std::string payload, Bus::PublishDone done) {
  state_->bus->publish(std::move(channel), std::move(payload), std::move(done));
}

std::size_t Hub::subscribers(std::string_view channel) const {
  const OpenChannelPtr open = state_->find(channel);
  return open ? open->channel->clients.load(std::memory_order_relaxed) : 0;
}

ChannelInfo Hub::info(std::string_view channel) const {
  ChannelInfo info;
  info.name = channel;
  const OpenChannelPtr open = state_->find(channel);
  if (!open) return info;
  const auto counts = open->channel->log.counts();
  info.subscribers = open->channel->clients.load(std::memory_order_relaxed);
  info.log_messages = counts.messages;
  info.log_bytes = counts.bytes;
  info.is_live = open->channel->is_live;
  if (counts.last_message) {
    info.last_id = decode_block(block_of_chunk(counts.last_message->chunk(Form::kChannel, channel))).id;
  } else if (counts.last_sequence != 0) {
    info.last_id = format_event_id(state_->epoch, counts.last_sequence);
  }
  return info;
}

std::vector<ChannelInfo> Hub::channels(std::size_t max) const {
  std::vector<std::pair<std::size_t, std::string>> names;
  {
    const MutexLock lock(state_->mutex);
    names.reserve(state_->channels.size());
    for (const auto& [name, open] : state_->channels) names.emplace_back(open->holders, name);
  }
  const std::size_t count = std::min(max, names.size());
  std::partial_sort(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(count), names.end(),
                    [](const auto& a, const auto& b) {
                      return a.first != b.first ? a.first > b.first : a.second < b.second;
                    });
  std::vector<ChannelInfo> infos;
  for (std::size_t i = 0; i < count; ++i) infos.push_back(info(names[i].second));
  return infos;
}

std::vector<SlowClient> Hub::slowest() const {
  std::vector<SlowClient> slowest;
  for (const auto& shard : state_->shards) {
    for (SlowClient& client : shard->slowest()) slowest.push_back(std::move(client));
  }
  std::sort(slowest.begin(), slowest.end(), is_slower);
  if (slowest.size() > kSlowestMax) slowest.resize(kSlowestMax);
  return slowest;
}

std::size_t Hub::clients() const { return state_->places; }

void Hub::drain(std::chrono::milliseconds duration, std::function<void()> done) {
  {
    const MutexLock lock(state_->drain_mutex);
    state_->drain_done = std::move(done);
  }
  // One place of its own, so that an empty gateway, too, ends by giving back the last one.
  state_->places.fetch_add(1);
  state_->is_draining = true;
  for (const auto& shard : state_->shards) shard->begin_drain(duration);
  state_->give_back_place(nullptr);
}

bool Hub::is_draining() const { return state_->is_draining; }

BusState Hub::bus_state() const { return state_->bus->state(); }

void Hub::tick(std::chrono::steady_clock::time_point now) {
  state_->close_idle(now);
  state_->forget_old(now);
  state_->enforce_memory();
  state_->access_log.tell_left_out();
}

void Hub::collect(MetricsPage& page) const {
  const State& state = *state_;
  for (const auto& shard : state.shards) {
    const ShardStats& stats = shard->stats();
    page.add(Metric::kClients, static_cast<double>(stats.clients.value()));
    page.add(Metric::kStreamsOpened, static_cast<double>(stats.opened.value()));
    for (std::size_t i = 0; i < stats.closed.size(); ++i) {
      page.add(Metric::kStreamsClosed, static_cast<double>(stats.closed[i].value()), kCloseReasonNames[i]);
    }
    page.add(Metric::kMessagesOut, static_cast<double>(stats.messages_out.value()));
    page.add(Metric::kBytesOut, static_cast<double>(stats.bytes_out.value()));
    for (std::size_t i = 0; i < kGapReasons; ++i) {
      page.add(Metric::kGaps, static_cast<double>(stats.gaps[i].value()),
               gap_reason_name(static_cast<GapReason>(i)));
    }
    page.add(Metric::kHeartbeats, static_cast<double>(stats.heartbeats.value()));
    page.add(Metric::kSlowClients, static_cast<double>(stats.slow_clients.value()));
    DeliveryHistogram histogram;
    static_assert(kDeliveryBounds.size() == kDeliveryBoundsMicros.size());
    for (std::size_t i = 0; i < histogram.buckets.size(); ++i) {
      histogram.buckets[i] = stats.delivery_buckets[i].value();
    }
    histogram.sum_seconds = static_cast<double>(stats.delivery_micros.value()) / 1e6;
    page.add(Metric::kDeliverySeconds, histogram);
  }
  page.add(Metric::kClientsLimit, static_cast<double>(state.clients_max));
  page.add(Metric::kClientAddresses, static_cast<double>(state.addresses.addresses()));
  {
    const MutexLock lock(state.mutex);
    page.add(Metric::kChannels, static_cast<double>(state.channels.size()));
    page.add(Metric::kChannelsLingering, static_cast<double>(state.lingering.size()));
  }
  page.add(Metric::kAccessLogLeftOut, static_cast<double>(state.access_log.left_out()));
  page.add(Metric::kMessagesIn, static_cast<double>(state.messages_in.value()));
  page.add(Metric::kMessageBytesIn, static_cast<double>(state.bytes_in.value()));
  page.add(Metric::kInvalidUtf8, static_cast<double>(state.invalid_utf8.value()));
  page.add(Metric::kNotEnvelopes, static_cast<double>(state.not_envelopes.value()));
  page.add(Metric::kFrameBytes, static_cast<double>(state.budget.total()));
  page.add(Metric::kFrameBytesLimit, static_cast<double>(state.budget.limit()));
  page.add(Metric::kHeldBytes, static_cast<double>(state.held->total()));
  page.add(Metric::kHeldBytesLimit, static_cast<double>(state.held->limit()));
  page.add(Metric::kFramesEvicted, static_cast<double>(state.budget.evicted()));
  const BusState bus = state.bus->state();
  page.add(Metric::kRedisUp, bus.is_connected ? 1 : 0);
  page.add(Metric::kRedisReconnects, static_cast<double>(bus.reconnects));
  page.add(Metric::kSubscriptionsWanted, static_cast<double>(bus.wanted));
  page.add(Metric::kSubscriptionsAcknowledged, static_cast<double>(bus.acknowledged));
  page.add(Metric::kPublishesWaiting, static_cast<double>(bus.publishes_waiting));
}

}  // namespace weir
