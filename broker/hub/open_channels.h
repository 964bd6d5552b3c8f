// The channels that are open on this gateway, and how long each stays open.
//
// A channel opens with its first stream, or with its first message if a --record pattern covers it. It closes
// when the linger time has passed since its last stream left; a recorded one stays until its place is needed.
//
// Threads:   call every function from any thread, after set_bus().
// Ownership: the map, the holds and the callers share a channel. The bus and the config outlive this object.
// Limits:    --max-channels channels. The bus may hold up to twice as many subscriptions and 1,024: those of
//            channels that were closed and that it has not dropped yet. At that number no channel opens.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/base/keyed_hash.h"
#include "broker/base/mutex.h"
#include "broker/bus/bus.h"
#include "broker/bus/streams.h"
#include "broker/config.h"
#include "broker/fanout/channel.h"
#include "broker/log/channel_stream.h"
#include "proto/stream_id.h"

namespace weir {

// How far the log of a channel with a history is filled (stream_filler.h). The bus thread's.
struct ChannelFill {
  enum class State : std::uint8_t { kAway, kBeginning, kFilling, kLive };
  State state = State::kAway;
  std::atomic<std::uint64_t> round =
      0;  // Answers to reads of an earlier round come too late. Read on any thread.
  // While it fills, the newest entry that was announced: before the read that is under way, and since.
  StreamId before;
  StreamId since;
  std::vector<StreamEntry> parked;  // Of those since, as many as there may be.
  bool is_made_anew = false;        // The followed stream was, since the log's last entry.
  StreamId first;              // The announcement with which the fill began, if it is a stream's first entry.
  bool is_plain_told = false;  // The log has a line on plain messages.
};

// One channel in the map. `channel` and `envelope` never change; `fill` is the bus thread's, the rest the map's.
struct OpenChannel {
  ChannelPtr channel;
  EnvelopeMode envelope = EnvelopeMode::kAuto;
  ChannelFill fill;
  std::size_t holders = 0;   // Streams.
  bool is_recorded = false;  // A --record pattern covers it: it stays open without holders.
  bool is_pinned = false;    // That pattern is its very name: it stays open for ever.
  SteadyTime idle_since;     // When the last holder left, or the channel was made without one.
  bool is_lingering = false;
  std::list<std::shared_ptr<OpenChannel>>::iterator in_lingering;  // Valid if is_lingering.
};
// Shared by the map, the holds of streams, and a caller for a moment.
using OpenChannelPtr = std::shared_ptr<OpenChannel>;

class OpenChannels {
 public:
  explicit OpenChannels(const Config& config);
  OpenChannels(const OpenChannels&) = delete;
  OpenChannels& operator=(const OpenChannels&) = delete;

  void set_bus(Bus& bus) { bus_ = &bus; }
  // The [[channel]] rules for channels that open later. An open channel keeps its own.
  void set_rules(std::vector<ChannelRule> rules) EXCLUDES(mutex_);

  // One stream's hold on its channels. The destructor lets go of them.
  class Hold {
   public:
    Hold(OpenChannels& map, std::vector<OpenChannelPtr> channels)
        : map_(&map), channels_(std::move(channels)) {}
    Hold(Hold&& other) noexcept : map_(other.map_), channels_(std::exchange(other.channels_, {})) {}
    Hold& operator=(Hold&&) = delete;
    ~Hold();
    // In the order of the names given.
    std::vector<ChannelPtr> channels() const;

   private:
    OpenChannels* map_;
    std::vector<OpenChannelPtr> channels_;
  };
  // Opens the channels that are not open yet, and holds all of them. Returns null and holds none if one
  // cannot be opened (see Limits); those that were opened for it linger.
  std::optional<Hold> hold(const std::vector<std::string>& names) EXCLUDES(mutex_);

  // Null if it is not open.
  OpenChannelPtr find(std::string_view name) const EXCLUDES(mutex_);
  // Opens the channel if a --record pattern covers it. Null if none does, or if it cannot
  // be opened (see Limits).
  OpenChannelPtr open_recorded(std::string_view name) EXCLUDES(mutex_);
  // How to read the payloads of `name`, open or not.
  EnvelopeMode envelope_of(std::string_view name) const EXCLUDES(mutex_);
  // The settings and the source of `name`, by the rules as they are now.
  ChannelSettings settings_of(std::string_view name) const EXCLUDES(mutex_);
  ChannelOrigin origin_of(std::string_view name) const EXCLUDES(mutex_);

  // At most `max` of the durable channels, other ones at each call until all had their turn.
  std::vector<OpenChannelPtr> some_durable(std::size_t max) EXCLUDES(mutex_);
  // The stream of `name`, open or not; null if it has no history.
  ChannelStreamPtr stream_of(std::string_view name) const EXCLUDES(mutex_);

  // The bus no longer delivers: every live channel without a history owes its streams a gap.
  void lose_bus() EXCLUDES(mutex_);

  // Housekeeping: closes channels whose linger has passed, and forgets frames that are too old, in a share of
  // the channels at each call.
  void tick(SteadyTime now) EXCLUDES(mutex_);

  struct Counts {
    std::size_t open = 0;
    std::size_t lingering = 0;
  };
  Counts counts() const EXCLUDES(mutex_);
  // At most `max` names, most streams first, then by name.
  std::vector<std::string> names(std::size_t max) const EXCLUDES(mutex_);

 private:
  ChannelOrigin origin(std::string_view name) const REQUIRES(mutex_);
  void release(const std::vector<OpenChannelPtr>& channels) EXCLUDES(mutex_);
  OpenChannelPtr find_or_open(std::string_view name, SteadyTime now) REQUIRES(mutex_);
  OpenChannelPtr open(std::string_view name, SteadyTime now) REQUIRES(mutex_);
  void close(OpenChannelPtr open) REQUIRES(mutex_);
  void begin_lingering(const OpenChannelPtr& open, SteadyTime now) REQUIRES(mutex_);
  void end_lingering(OpenChannel& open) REQUIRES(mutex_);
  bool make_room(SteadyTime now) REQUIRES(mutex_);
  void close_idle(SteadyTime now) EXCLUDES(mutex_);
  void forget_old(SteadyTime now) EXCLUDES(mutex_);

  const Config& config_;
  Bus* bus_ = nullptr;
  mutable Mutex mutex_;  // Taken before those of channels, logs and the bus.
  std::vector<ChannelRule> rules_ GUARDED_BY(mutex_);
  NameMap<OpenChannelPtr> channels_ GUARDED_BY(mutex_);
  // The channels without a holder that are not recorded, each once, in the order of idle_since.
  std::list<OpenChannelPtr> lingering_ GUARDED_BY(mutex_);
  std::size_t bucket_ GUARDED_BY(mutex_) = 0;          // Where forget_old() continues.
  std::size_t durable_bucket_ GUARDED_BY(mutex_) = 0;  // Where some_durable() continues.
  bool is_full_logged_ GUARDED_BY(mutex_) = false;
};

}  // namespace weir
