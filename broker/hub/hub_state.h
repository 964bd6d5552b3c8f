// What hub.cpp and hub_bus.cpp share: the inside of the Hub.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/keyed_hash.h"
#include "broker/base/mutex.h"
#include "broker/bus/bus.h"
#include "broker/config.h"
#include "broker/fanout/channel.h"
#include "broker/fanout/shard.h"
#include "broker/fanout/stats.h"
#include "broker/hub/access_log.h"
#include "broker/hub/address_counts.h"
#include "broker/hub/connect_rate.h"
#include "broker/hub/hub.h"
#include "broker/log/memory_budget.h"
#include "proto/message.h"

namespace weir {

// One channel in the hub's map.
struct OpenChannel {
  ChannelPtr channel;
  EnvelopeMode envelope = EnvelopeMode::kAuto;
  std::size_t holders = 0;   // Streams, under the hub's mutex.
  bool is_recorded = false;  // A --record pattern covers it: it stays without holders.
  bool is_pinned = false;    // That pattern is its very name: it stays for ever.
  SteadyTime idle_since;     // When the last holder left, or it was made without one.
  bool is_lingering = false;
  std::list<std::shared_ptr<OpenChannel>>::iterator in_lingering;  // Where it is_lingering.
};
using OpenChannelPtr = std::shared_ptr<OpenChannel>;

struct Hub::State {
  State(const Config& settings, std::uint64_t random);

  // What a stream holds of the hub, given back when its client ends.
  struct Held {
    Held(State& hub, Place its_place) : state(hub), place(std::move(its_place)) {}
    ~Held();
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    State& state;
    Place place;
    std::vector<OpenChannelPtr> channels;
  };

  // Under the mutex. Null if max_channels is reached.
  OpenChannelPtr find_or_open(std::string_view name, SteadyTime now) REQUIRES(mutex);
  OpenChannelPtr make_channel(std::string_view name, SteadyTime now) REQUIRES(mutex);
  OpenChannelPtr find(std::string_view name) const EXCLUDES(mutex);
  EnvelopeMode envelope_of(std::string_view name) const EXCLUDES(mutex);
  void close(OpenChannelPtr open) REQUIRES(mutex);
  void begin_lingering(const OpenChannelPtr& open, SteadyTime now) REQUIRES(mutex);
  void end_lingering(OpenChannel& open) REQUIRES(mutex);
  bool make_room(SteadyTime now) REQUIRES(mutex);
  void close_idle(SteadyTime now) EXCLUDES(mutex);
  void forget_old(SteadyTime now) EXCLUDES(mutex);
  // `of_address` is what admit() took for the client's address; null where there is no limit for each.
  void give_back_place(AddressCounts::Entry* of_address);

  // Its frame might be larger than max_message_bytes: all others need not be measured.
  bool may_be_too_large(std::string_view payload) const {
    return payload.size() > config.max_message_bytes / kEncodedBytesPerByte;
  }

  // On the bus thread.
  OpenChannelPtr open_recorded(std::string_view name) EXCLUDES(mutex);
  void append(OpenChannel& open, FramePtr frame, Sequence sequence);
  void append_gap(OpenChannel& open, std::optional<std::uint64_t> missed, GapReason reason);
  void acknowledge(OpenChannel& open);
  void wake_shards();
  // Any thread: forgets frames past the memory limit, and lets clients be ended that hold too much beside the
  // logs.
  void enforce_memory();

  const Config& config;  // But for the rules, which may have changed: channel_rules.
  const std::string epoch;
  const std::size_t clients_max;
  MemoryBudget budget;
  const std::shared_ptr<HeldMemory> held;
  Bus* bus = nullptr;
  // 1 is the gateway's start, so that every message and every position is later than nothing.
  std::atomic<Sequence> appended{1};
  AccessLog access_log;
  std::vector<std::unique_ptr<Shard>> shards;

  std::atomic<std::size_t> places{0};
  AddressCounts addresses;  // Of these places; empty where there is no limit for each.
  ConnectRate connect_rate;
  std::atomic<bool> is_draining{false};
  Mutex drain_mutex;
  std::function<void()> drain_done GUARDED_BY(drain_mutex);

  mutable Mutex mutex;
  std::vector<ChannelRule> channel_rules GUARDED_BY(mutex);
  NameMap<OpenChannelPtr> channels GUARDED_BY(mutex);
  // The channels of the map that have no holder and are not recorded, each once, in the order of idle_since.
  std::list<OpenChannelPtr> lingering GUARDED_BY(mutex);
  std::size_t bucket GUARDED_BY(mutex) = 0;  // Where forget_old() goes on.
  bool is_full_logged GUARDED_BY(mutex) = false;

  // Written on the bus thread.
  Tally messages_in;
  Tally bytes_in;
  Tally invalid_utf8;
  Tally not_envelopes;
};

}  // namespace weir
