// The bus' listener: gives each message its sequence and appends it to its channel's log.
//
// Threads:   the BusListener's functions on the bus thread, one at a time, so that sequences follow one
//            order. enforce_memory(), may_be_too_large() and tallies() on any.
// Ownership: the config, the channels and the shards outlive it.
// Limits:    a message larger than --max-message-bytes becomes a gap; --memory-limit for all frames.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
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
    Tally plain;  // Plain messages on channels with a history.
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

  // For channels with a history (stream_filler.h), on the bus thread.

  // Starts the log behind entry `id`.
  void begin_log(OpenChannel& open, const StreamId& id);
  // Appends an entry of the stream.
  void append_entry(OpenChannel& open, FramePtr frame);
  // Appends a gap for all clients, behind which the stream goes on after `position`.
  void append_stream_gap(OpenChannel& open, std::optional<std::uint64_t> missed, GapReason reason,
                         const StreamId& position);
  // Ends the channel's streams: Redis refuses it.
  void refuse(OpenChannel& open, std::string_view why);

  // Called when memory is short, before logs lose entries: lets go of something, false if there is nothing left.
  void set_reclaim(std::function<bool()> reclaim) { reclaim_ = std::move(reclaim); }

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
  void append_passing(OpenChannel& open, const Message& message);
  void append_gap(OpenChannel& open, std::optional<std::uint64_t> missed, GapReason reason);
  void acknowledge(OpenChannel& open);
  // When the messages of this turn of the bus came, in Unix ms: the clock is read once for all of them.
  std::uint64_t batch_time();
  Sequence next_sequence() const { return shards_.newest().load(std::memory_order_relaxed) + 1; }

  const std::size_t message_bytes_max_;
  const std::string epoch_;
  OpenChannels& channels_;
  Shards& shards_;
  MemoryBudget& budget_;
  const HeldMemory& held_;
  std::function<bool()> reclaim_;
  Tallies tallies_;
  std::uint64_t batch_time_ = 0;  // 0: this turn has brought none yet.
};

}  // namespace weir
