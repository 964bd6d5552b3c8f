#include "broker/hub/open_channels.h"

#include <algorithm>
#include <chrono>

#include "broker/base/logging.h"
#include "broker/bus/streams.h"
#include "proto/channel_name.h"

namespace weir {

namespace {

// Each tick looks at this share of the map's buckets for old frames, so that no tick is long.
constexpr std::size_t kTicksPerRound = 16;

// Channels may come and go faster than the bus can follow (its thread is busy, Redis does not answer). New
// ones are refused past twice max_channels and this number.
constexpr std::size_t kHeldSlack = 1'024;

// Null for a channel without a history.
ChannelStreamPtr make_stream(std::string_view name, const ChannelOrigin& origin, EnvelopeMode envelope) {
  if (origin.source == ChannelSource::kPubSub) return nullptr;
  const bool is_durable = origin.source == ChannelSource::kDurable;
  auto stream = std::make_shared<ChannelStream>(
      std::string(name), is_durable ? StreamKind::kDurable : StreamKind::kFollowed, envelope);
  stream->key = origin.stream_key;
  stream->data_field = origin.stream_field;
  return stream;
}

StreamSource source_of(const ChannelStream& stream) {
  return {.kind = stream.is_durable() ? StreamSource::Kind::kDurable : StreamSource::Kind::kFollowed,
          .key = stream.key,
          .data_field = stream.data_field};
}

ChannelLog::Limits limits_of(const ChannelSettings& settings) {
  return {.history_messages = settings.history_messages,
          .history_bytes = settings.history_bytes,
          .history_age = settings.history_seconds,
          .queue_messages = settings.queue_messages,
          .queue_bytes = settings.queue_bytes,
          .keeps_latest = settings.slow_client == SlowClientPolicy::kLatest};
}

}  // namespace

OpenChannels::OpenChannels(const Config& config) : config_(config), rules_(config.channel_rules) {}

void OpenChannels::set_rules(std::vector<ChannelRule> rules) {
  const MutexLock lock(mutex_);
  rules_.swap(rules);  // The old ones are freed without the lock.
}

OpenChannels::Hold::~Hold() {
  if (!channels_.empty()) map_->release(channels_);
}

std::vector<ChannelPtr> OpenChannels::Hold::channels() const {
  std::vector<ChannelPtr> channels;
  channels.reserve(channels_.size());
  for (const OpenChannelPtr& open : channels_) channels.push_back(open->channel);
  return channels;
}

std::optional<OpenChannels::Hold> OpenChannels::hold(const std::vector<std::string>& names) {
  std::vector<OpenChannelPtr> held;
  held.reserve(names.size());
  {
    const auto now = std::chrono::steady_clock::now();
    const MutexLock lock(mutex_);
    for (const std::string& name : names) {
      OpenChannelPtr open = find_or_open(name, now);
      if (!open) break;
      end_lingering(*open);
      ++open->holders;
      open->channel->clients.fetch_add(1, std::memory_order_relaxed);
      held.push_back(std::move(open));
    }
  }
  const bool is_all = held.size() == names.size();
  Hold hold(*this, std::move(held));  // If not all were opened, it lets go of the others.
  if (!is_all) return std::nullopt;
  return hold;
}

void OpenChannels::release(const std::vector<OpenChannelPtr>& channels) {
  const auto now = std::chrono::steady_clock::now();
  const MutexLock lock(mutex_);
  for (const OpenChannelPtr& open : channels) {
    open->channel->clients.fetch_sub(1, std::memory_order_relaxed);
    if (--open->holders == 0) begin_lingering(open, now);
  }
}

OpenChannelPtr OpenChannels::find(std::string_view name) const {
  const MutexLock lock(mutex_);
  const auto found = channels_.find(name);
  return found == channels_.end() ? nullptr : found->second;
}

OpenChannelPtr OpenChannels::open_recorded(std::string_view name) {
  const MutexLock lock(mutex_);
  const auto covers = [&](const std::string& pattern) { return matches_pattern(pattern, name); };
  if (std::none_of(config_.record.begin(), config_.record.end(), covers)) return nullptr;
  return find_or_open(name, std::chrono::steady_clock::now());
}

EnvelopeMode OpenChannels::envelope_of(std::string_view name) const {
  const MutexLock lock(mutex_);
  const auto found = channels_.find(name);
  return found != channels_.end() ? found->second->envelope
                                  : weir::settings_of(rules_, config_.channel, name).envelope;
}

ChannelSettings OpenChannels::settings_of(std::string_view name) const {
  const MutexLock lock(mutex_);
  return weir::settings_of(rules_, config_.channel, name);
}

ChannelOrigin OpenChannels::origin_of(std::string_view name) const {
  const MutexLock lock(mutex_);
  return origin(name);
}

// The first rules that want a history may have come after the start, by SIGHUP. The bus has none then.
ChannelOrigin OpenChannels::origin(std::string_view name) const {
  return bus_->streams() == nullptr ? ChannelOrigin{} : weir::origin_of(config_, rules_, name);
}

OpenChannelPtr OpenChannels::find_or_open(std::string_view name, SteadyTime now) {
  const auto found = channels_.find(name);
  if (found == channels_.end()) return open(name, now);
  const OpenChannel& known = *found->second;
  if (!known.channel->is_refused || known.holders > 0) return found->second;
  // The bus refused it to earlier streams, perhaps no longer: ask again.
  close(found->second);
  return open(name, now);
}

OpenChannelPtr OpenChannels::open(std::string_view name, SteadyTime now) {
  if (bus_->state().subscriptions_held >= 2 * config_.max_channels + kHeldSlack) return nullptr;
  if (channels_.size() >= config_.max_channels && !make_room(now)) return nullptr;
  const ChannelSettings& settings = weir::settings_of(rules_, config_.channel, name);
  auto open = std::make_shared<OpenChannel>();
  const ChannelOrigin its = origin(name);
  const ChannelStreamPtr stream = make_stream(name, its, settings.envelope);
  const bool may_read_back = stream && !its.names_slow_client;
  open->channel = std::make_shared<Channel>(
      std::string(name), limits_of(settings),
      may_read_back ? SlowClientPolicy::kReadHistory : settings.slow_client, stream);
  open->envelope = settings.envelope;
  open->idle_since = now;
  for (const std::string& pattern : config_.record) {
    open->is_recorded |= matches_pattern(pattern, name);
    open->is_pinned |= pattern == name;
  }
  channels_.emplace(name, open);
  if (stream) {
    bus_->streams()->subscribe(std::string(name), source_of(*stream));
  } else {
    bus_->subscribe(std::string(name));
  }
  return open;
}

// Takes `open` by value, since the map and the list drop their references.
void OpenChannels::close(OpenChannelPtr open) {
  end_lingering(*open);
  if (open->channel->stream) {
    bus_->streams()->unsubscribe(open->channel->name);
  } else {
    bus_->unsubscribe(open->channel->name);
  }
  channels_.erase(channels_.find(open->channel->name));
}

void OpenChannels::begin_lingering(const OpenChannelPtr& open, SteadyTime now) {
  open->idle_since = now;
  if (open->is_recorded) return;
  open->in_lingering = lingering_.insert(lingering_.end(), open);
  open->is_lingering = true;
}

void OpenChannels::end_lingering(OpenChannel& open) {
  if (std::exchange(open.is_lingering, false)) lingering_.erase(open.in_lingering);
}

// Closes recorded channels without streams: the sixteenth whose last message is the oldest.
bool OpenChannels::make_room(SteadyTime now) {
  std::vector<std::pair<Sequence, OpenChannelPtr>> candidates;
  for (const auto& [name, open] : channels_) {
    if (!open->is_recorded || open->is_pinned || open->holders > 0 || open->idle_since == now) continue;
    candidates.emplace_back(open->channel->log.counts().last_sequence, open);
  }
  if (candidates.empty()) {
    if (!std::exchange(is_full_logged_, true))
      log_warning("--max-channels is reached: new channels are refused");
    return false;
  }
  const auto count = static_cast<std::ptrdiff_t>(candidates.size() / 16 + 1);
  std::nth_element(candidates.begin(), candidates.begin() + (count - 1), candidates.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (std::ptrdiff_t i = 0; i < count; ++i) close(candidates[static_cast<std::size_t>(i)].second);
  return true;
}

ChannelStreamPtr OpenChannels::stream_of(std::string_view name) const {
  const MutexLock lock(mutex_);
  const auto found = channels_.find(name);
  if (found != channels_.end()) return found->second->channel->stream;
  return make_stream(name, origin(name), weir::settings_of(rules_, config_.channel, name).envelope);
}

std::vector<OpenChannelPtr> OpenChannels::some_durable(std::size_t max) {
  // So that a call is short where few channels are durable.
  constexpr std::size_t kBucketsMax = 1'024;
  std::vector<OpenChannelPtr> some;
  const MutexLock lock(mutex_);
  const std::size_t buckets = channels_.bucket_count();
  for (std::size_t i = 0; i < std::min(buckets, kBucketsMax) && some.size() < max; ++i) {
    durable_bucket_ = (durable_bucket_ + 1) % buckets;
    for (auto it = channels_.begin(durable_bucket_); it != channels_.end(durable_bucket_); ++it) {
      const ChannelStreamPtr& stream = it->second->channel->stream;
      if (stream && stream->is_durable()) some.push_back(it->second);
    }
  }
  return some;
}

void OpenChannels::lose_bus() {
  const MutexLock lock(mutex_);
  for (const auto& [name, open] : channels_) {
    if (open->channel->stream) continue;  // It is filled up instead.
    if (open->channel->is_live.exchange(false)) open->channel->owes_gap = true;
  }
}

void OpenChannels::tick(SteadyTime now) {
  close_idle(now);
  forget_old(now);
}

void OpenChannels::close_idle(SteadyTime now) {
  const MutexLock lock(mutex_);
  while (!lingering_.empty() && now - lingering_.front()->idle_since >= config_.linger)
    close(lingering_.front());
}

void OpenChannels::forget_old(SteadyTime now) {
  std::vector<OpenChannelPtr> some;
  {
    const MutexLock lock(mutex_);
    const std::size_t buckets = channels_.bucket_count();
    for (std::size_t i = 0; i <= buckets / kTicksPerRound; ++i) {
      bucket_ = (bucket_ + 1) % buckets;
      for (auto it = channels_.begin(bucket_); it != channels_.end(bucket_); ++it) some.push_back(it->second);
    }
  }
  for (const OpenChannelPtr& open : some) open->channel->log.forget_old(now);
}

OpenChannels::Counts OpenChannels::counts() const {
  const MutexLock lock(mutex_);
  return {channels_.size(), lingering_.size()};
}

std::vector<std::string> OpenChannels::names(std::size_t max) const {
  std::vector<std::pair<std::size_t, std::string>> all;
  {
    const MutexLock lock(mutex_);
    all.reserve(channels_.size());
    for (const auto& [name, open] : channels_) all.emplace_back(open->holders, name);
  }
  const std::size_t count = std::min(max, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count), all.end(),
                    [](const auto& a, const auto& b) {
                      return a.first != b.first ? a.first > b.first : a.second < b.second;
                    });
  std::vector<std::string> names;
  names.reserve(count);
  for (std::size_t i = 0; i < count; ++i) names.push_back(std::move(all[i].second));
  return names;
}

}  // namespace weir
