// The bus' listener: gives each message its sequence and appends it to its channel's log.
//
// Threads:   the BusListener's functions on the bus thread, one at a time, so that sequences follow one
//            order. enforce_memory(), may_be_too_large() and tallies() on any.
// Ownership: the config, the channels and the shards outlive it.
// Limits:    a message larger than --max-message-bytes becomes a gap; --memory-limit for all frames.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "broker/bus/bus.h"
#include "broker/fanout/shards.h"
#include "broker/fanout/stats.h"
#include "broker/hub/open_channels.h"
#include "broker/log/held_memory.h"
#include "broker/log/memory_budget.h"

namespace weir {

class Sequencer final : public BusListener {
 public:
  // Arrivals so far. Written on the bus thread.
  struct Tallies {
    Tally messages;
    Tally bytes;
    Tally invalid_utf8;
    Tally not_envelopes;
  };

  Sequencer(const Config& config, std::string epoch, OpenChannels& channels, Shards& shards,
            MemoryBudget& budget, const HeldMemory& held);

  void on_message(std::string_view channel, std::string_view payload) override;
  void on_too_large(std::string_view channel) override;
  void on_subscribed(std::string_view channel) override;
  void on_recording(std::string_view pattern) override;
  void on_refused(std::string_view channel, std::string_view why) override;
  void on_lost() override;
  void on_state(bool is_up) override;
  void on_idle() override;

  // Forgets frames past the memory limit. If clients hold too much outside the logs, ends those that have
  // been blocked longest.
  void enforce_memory();
  // True if encoded_bytes() of `payload` could pass max_message_bytes. Others need not be measured.
  bool may_be_too_large(std::string_view payload) const {
    return payload.size() > message_bytes_max_ / kEncodedBytesPerByte;
  }
  const Tallies& tallies() const { return tallies_; }

 private:
  // Opens a channel that a --record pattern covers; null if none does.
  OpenChannelPtr open_recorded(std::string_view name);
  void append(OpenChannel& open, FramePtr frame, Sequence sequence);
  void append_gap(OpenChannel& open, std::optional<std::uint64_t> missed, GapReason reason);
  void acknowledge(OpenChannel& open);
  Sequence next_sequence() const { return shards_.newest().load(std::memory_order_relaxed) + 1; }

  const std::size_t message_bytes_max_;
  const std::string epoch_;
  OpenChannels& channels_;
  Shards& shards_;
  MemoryBudget& budget_;
  const HeldMemory& held_;
  Tallies tallies_;
};

}  // namespace weir
