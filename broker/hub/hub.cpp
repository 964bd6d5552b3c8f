#include "broker/hub/hub.h"

#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "broker/base/metrics.h"
#include "broker/bus/streams.h"
#include "broker/config.h"
#include "broker/fanout/shards.h"
#include "broker/hub/access_log.h"
#include "broker/hub/entry_encoder.h"
#include "broker/hub/history_query.h"
#include "broker/hub/history_reader.h"
#include "broker/hub/open_channels.h"
#include "broker/hub/places.h"
#include "broker/hub/sequencer.h"
#include "broker/hub/stream_filler.h"
#include "broker/log/held_memory.h"
#include "broker/log/memory_budget.h"
#include "process/processors.h"
#include "proto/envelope.h"
#include "proto/event_id.h"

namespace weir {

namespace {

std::size_t shards_of(const Config& config) {
  return config.shards != 0 ? config.shards : usable_processors();
}

// --max-clients, but below the descriptor limit with a reserve for Redis, followed streams, requests, files, and the
// loops with three descriptors each.
std::size_t places_max_of(const Config& config) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) limit.rlim_cur = 1 << 20;
  const auto descriptors = static_cast<std::size_t>(limit.rlim_cur);
  const bool follows = std::any_of(config.channel_rules.begin(), config.channel_rules.end(),
                                   [](const ChannelRule& rule) { return rule.is_stream; });
  const std::size_t reserve = std::clamp<std::size_t>(descriptors / 64, 64, 256) + 3 * shards_of(config) +
                              (follows ? kFollowConnectionsMax : 0);
  const std::size_t most = descriptors > reserve ? descriptors - reserve : 1;
  return config.max_clients == 0 ? most : std::min(config.max_clients, most);
}

// The most memory for clients outside the logs: a quarter of the memory limit, but at least two
// of the largest frames.
std::size_t held_max_of(const Config& config) {
  return std::max(config.memory_limit_bytes / 4, 2 * config.max_message_bytes);
}

// The shards' slices count against the memory limit and can't be evicted: at most a 16th of it.
constexpr std::size_t kSlicesPerLimit = 16;
// Pages of history count against it too, and give way before logs do.
constexpr std::size_t kPagesPerLimit = 4;
// Questions about history at the same time: of each client, while a few of its channels are behind, and a fill-up of
// each channel.
constexpr std::size_t kAsksPerClient = 4;

ShardOptions shard_options_of(const Config& config, const std::string& epoch, StreamObserver& observer,
                              const std::shared_ptr<HeldMemory>& held, History& history) {
  ShardOptions options{.epoch = epoch,
                       .heartbeat = config.heartbeat,
                       .retry = config.retry,
                       .drain_retry = config.drain_retry,
                       .stuck = config.stuck,
                       .max_stream = config.max_stream,
                       .socket_unsent_bytes = config.socket_unsent_bytes,
                       .observer = &observer,
                       .history = &history,
                       .held = held};
  if ((options.slice_bytes + kBatchBytes) * kSlicesPerLimit * shards_of(config) > config.memory_limit_bytes)
    options.slice_bytes = 0;
  return options;
}

// What an idle channel of one client and an idle stream take, beside the frames: measured, see "Sizing" in
// docs/operations.md. The metrics' estimates are multiples of them.
constexpr std::size_t kChannelBytes = 1'570;
constexpr std::size_t kStreamBytes = 1'030;

// A stream's hold on the gateway. When the client ends, it gives back its channels first, then its place.
struct StreamLease {
  StreamLease(Place its_place, OpenChannels::Hold its_channels)
      : place(std::move(its_place)), channels(std::move(its_channels)) {}
  Place place;
  OpenChannels::Hold channels;
};

}  // namespace

struct Hub::Parts {
  Parts(const Config& settings, std::uint64_t random)
      : config(settings),
        epoch(make_epoch(random)),
        budget(settings.memory_limit_bytes, held_max_of(settings)),
        held(std::make_shared<HeldMemory>(budget.counter(), held_max_of(settings))),
        access_log(settings.access_log, settings.access_log_per_second),
        places({.places_max = places_max_of(settings),
                .per_address_max = settings.max_clients_per_address,
                .per_second_max = settings.max_connects_per_second}),
        encoder(settings.max_message_bytes, budget.counter()),
        history(encoder, budget.counter(), settings.memory_limit_bytes / kPagesPerLimit,
                kAsksPerClient * places_max_of(settings) + settings.max_channels),
        queries(history, settings.publish_timeout),
        channels(settings),
        shards(shards_of(settings), shard_options_of(settings, epoch, access_log, held, history),
               static_cast<std::uint32_t>(random >> 16) + 1),
        sequencer(settings, epoch, channels, shards, budget, *held),
        filler(encoder, history, channels, sequencer) {
    sequencer.set_reclaim([this] { return history.evict_oldest(); });
  }

  const Config& config;
  const std::string epoch;
  MemoryBudget budget;
  const std::shared_ptr<HeldMemory> held;  // Shared with the shards.
  AccessLog access_log;
  Places places;
  const EntryEncoder encoder;
  HistoryReader history;
  HistoryQueries queries;
  OpenChannels channels;
  Shards shards;  // After the parts to which its clients give back.
  Sequencer sequencer;
  StreamFiller filler;
  Bus* bus = nullptr;
};

Hub::Hub(const Config& config, std::uint64_t random) : parts_(std::make_unique<Parts>(config, random)) {}

Hub::~Hub() { stop(); }

BusListener& Hub::listener() { return parts_->sequencer; }

void Hub::set_bus(Bus& bus) {
  parts_->bus = &bus;
  parts_->channels.set_bus(bus);
  if (Streams* const streams = bus.streams()) {
    streams->set_listener(parts_->filler);
    parts_->history.set_streams(*streams);
    parts_->filler.set_streams(*streams);
  }
  parts_->shards.set_bus_up(bus.state().is_receiving);
  for (const std::string& pattern : parts_->config.record) bus.record(pattern);
}

void Hub::start() { parts_->shards.start(); }

void Hub::stop() {
  parts_->shards.stop();
  parts_->access_log.tell_left_out();
}

void Hub::set_channel_rules(std::vector<ChannelRule> rules) { parts_->channels.set_rules(std::move(rules)); }

std::size_t Hub::clients() const { return parts_->places.taken(); }

void Hub::drain(std::chrono::milliseconds duration, std::function<void()> done) {
  const Place own = parts_->places.close(std::move(done));
  parts_->shards.begin_drain(duration);
}

void Hub::tick(std::chrono::steady_clock::time_point now) {
  parts_->channels.tick(now);
  parts_->history.tick(now);
  parts_->queries.tick(now);
  parts_->filler.compare_tails();
  parts_->sequencer.enforce_memory();
  parts_->access_log.tell_left_out();
}

Gateway::Admission Hub::admit(const IpAddress& client) { return parts_->places.admit(client); }

bool Hub::open_stream(StreamRequest request, Place place, int socket) {
  auto held = parts_->channels.hold(request.channels);
  if (!held) return false;
  std::vector<ChannelPtr> channels = held->channels();
  auto lease = std::make_shared<StreamLease>(std::move(place), std::move(*held));
  parts_->shards.add({std::move(request), std::move(channels), socket, std::move(lease)});
  return true;
}

bool Hub::fits(std::string_view channel, std::string_view payload) const {
  if (!parts_->sequencer.may_be_too_large(payload)) return true;
  const std::size_t most = parts_->config.max_message_bytes;
  if (payload.size() > most) return false;
  return encoded_bytes(parse_payload(payload, parts_->channels.envelope_of(channel))) <= most;
}

void Hub::publish(std::string channel, std::string payload, std::string idempotency_key,
                  Bus::PublishDone done) {
  if (!is_durable(channel))
    return parts_->bus->publish(std::move(channel), std::move(payload), std::move(done));
  const ChannelSettings settings = parts_->channels.settings_of(channel);
  parts_->bus->streams()->publish(
      {.channel = std::move(channel),
       .payload = std::move(payload),
       .messages_max = settings.durable_messages,
       .seconds_max = static_cast<std::uint64_t>(settings.durable_seconds.count()),
       .idempotency_key = std::move(idempotency_key)},
      std::move(done));
}

// An open channel keeps what it was when it opened.
bool Hub::is_durable(std::string_view channel) const {
  const ChannelStreamPtr stream = parts_->channels.stream_of(channel);
  return stream && stream->is_durable();
}

void Hub::read_history(HistoryQuery query, std::function<void(HistoryPage)> done) {
  ChannelStreamPtr stream = parts_->channels.stream_of(query.channel);
  if (!stream) return done({.outcome = HistoryPage::Outcome::kNoHistory});
  parts_->queries.answer(std::move(stream), std::move(query), std::move(done));
}

std::size_t Hub::subscribers(std::string_view channel) const {
  const OpenChannelPtr open = parts_->channels.find(channel);
  return open ? open->channel->clients.load(std::memory_order_relaxed) : 0;
}

ChannelInfo Hub::info(std::string_view channel) const {
  ChannelInfo info;
  info.name = channel;
  const OpenChannelPtr open = parts_->channels.find(channel);
  if (!open) return info;
  const auto counts = open->channel->log.counts();
  info.subscribers = open->channel->clients.load(std::memory_order_relaxed);
  info.log_messages = counts.messages;
  info.log_bytes = counts.bytes;
  info.is_live = open->channel->is_live;
  if (open->channel->stream) {
    if (open->channel->log.begin_sequence() != 0)
      info.last_id = format_stream_id(open->channel->log.end_id());
  } else if (counts.last_message) {
    info.last_id = decode_block(block_of_chunk(counts.last_message->chunk(Form::kChannel, channel))).id;
  } else if (counts.last_sequence != 0) {
    info.last_id = format_event_id(parts_->epoch, counts.last_sequence);
  }
  return info;
}

std::vector<ChannelInfo> Hub::channels(std::size_t max) const {
  std::vector<ChannelInfo> infos;
  for (const std::string& name : parts_->channels.names(max)) infos.push_back(info(name));
  return infos;
}

std::size_t Hub::open_channels() const { return parts_->channels.counts().open; }

std::vector<SlowClient> Hub::slowest() const { return parts_->shards.slowest(); }

bool Hub::is_draining() const { return parts_->places.is_closed(); }

BusState Hub::bus_state() const { return parts_->bus->state(); }

void Hub::collect(MetricsPage& page) const {
  const Parts& parts = *parts_;
  std::uint64_t clients = 0;
  for (const auto& shard : parts.shards.each()) {
    const ShardStats& stats = shard->stats();
    clients += stats.clients.value();
    page.add(Metric::kStreamsOpened, stats.opened.value());
    for (std::size_t i = 0; i < stats.closed.size(); ++i)
      page.add(Metric::kStreamsClosed, stats.closed[i].value(), kCloseReasonNames[i]);
    page.add(Metric::kStreamStart, stats.start);
    page.add(Metric::kMessagesOut, stats.messages_out.value());
    page.add(Metric::kBytesOut, stats.bytes_out.value());
    page.add(Metric::kDelivery, stats.delivery);
    page.add(Metric::kLag, stats.lag);
    for (std::size_t i = 0; i < kGapReasons; ++i) {
      const char* const reason = gap_reason_name(static_cast<GapReason>(i));
      page.add(Metric::kGaps, stats.gaps[i].value(), reason);
      page.add(Metric::kMissed, stats.missed[i].value(), reason);
    }
    page.add(Metric::kHeartbeats, stats.heartbeats.value());
    page.add(Metric::kSlowClients, stats.slow_clients.value());
    page.add(Metric::kWaitingMessages, stats.waiting_messages.value());
    page.add(Metric::kWaitingBytes, stats.waiting_bytes.value());
  }
  page.add(Metric::kClients, clients);
  page.add(Metric::kClientsLimit, parts.places.limit());
  page.add(Metric::kClientAddresses, parts.places.addresses());
  const OpenChannels::Counts channels = parts.channels.counts();
  page.add(Metric::kChannels, channels.open);
  page.add(Metric::kChannelsLingering, channels.lingering);
  page.add(Metric::kAccessLogLeftOut, parts.access_log.left_out());
  const Sequencer::Tallies& in = parts.sequencer.tallies();
  page.add(Metric::kMessagesIn, in.messages.value());
  page.add(Metric::kMessageBytesIn, in.bytes.value());
  page.add(Metric::kInvalidUtf8, in.invalid_utf8.value());
  page.add(Metric::kNotEnvelopes, in.not_envelopes.value());
  page.add(Metric::kPlainMessages, in.plain.value());
  const StreamFiller::Tallies& filled = parts.filler.tallies();
  page.add(Metric::kHistoryEntries, filled.announced.value(), "announced");
  page.add(Metric::kHistoryEntries, filled.followed.value(), "followed");
  page.add(Metric::kHistoryEntries, filled.filled.value(), "filled");
  page.add(Metric::kHistoryEntries, filled.repeated.value(), "repeated");
  page.add(Metric::kForgedAnnouncements, filled.forged.value());
  page.add(Metric::kLostAnnouncements, filled.lost.value());
  const HistoryReader::Counts history = parts.history.counts();
  page.add(Metric::kHistoryPages, history.pages);
  page.add(Metric::kHistoryPageBytes, history.page_bytes);
  page.add(Metric::kHistoryPageBytesLimit, parts.history.page_bytes_max());
  page.add(Metric::kHistoryPagesRead, history.pages_read);
  page.add(Metric::kHistoryPagesFound, history.pages_found);
  page.add(Metric::kHistoryWaiting, history.waiting);
  page.add(Metric::kHistoryQueries, parts.queries.under_way());
  page.add(Metric::kMemory, parts.budget.counter()->logged(), "history");
  page.add(Metric::kMemory, parts.held->total(), "sending");
  page.add(Metric::kMemory, channels.open * kChannelBytes, "channels");
  page.add(Metric::kMemory, clients * kStreamBytes, "streams");
  page.add(Metric::kFrameBytes, parts.budget.total());
  page.add(Metric::kFrameBytesLimit, parts.budget.limit());
  page.add(Metric::kHeldBytes, parts.held->total());
  page.add(Metric::kHeldBytesLimit, parts.held->limit());
  page.add(Metric::kFramesEvicted, parts.budget.evicted());
  const BusState bus = parts.bus->state();
  page.add(Metric::kRedisUp, bus.is_connected ? 1 : 0);
  page.add(Metric::kRedisReached, bus.was_ever_connected ? 1 : 0);
  page.add(Metric::kRedisReconnects, bus.reconnects);
  page.add(Metric::kSubscriptionsWanted, bus.wanted);
  page.add(Metric::kSubscriptionsAcknowledged, bus.acknowledged);
  page.add(Metric::kPublishesWaiting, bus.publishes_waiting);
  parts.bus->collect(page);
}

}  // namespace weir
