#include "broker/hub/sequencer.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "broker/base/logging.h"
#include "proto/channel_name.h"
#include "proto/envelope.h"
#include "proto/event_id.h"

namespace weir {

Sequencer::Sequencer(const Config& config, std::string epoch, OpenChannels& channels, Shards& shards,
                     MemoryBudget& budget, const HeldMemory& held)
    : message_bytes_max_(config.max_message_bytes),
      epoch_(std::move(epoch)),
      channels_(channels),
      shards_(shards),
      budget_(budget),
      held_(held) {}

// Hot path, step 2 of docs/life-of-a-message.md: once per message.
void Sequencer::on_message(std::string_view channel, std::string_view payload) {
  tallies_.messages.add();
  tallies_.bytes.add(payload.size());
  OpenChannelPtr open = channels_.find(channel);
  if (!open) open = open_recorded(channel);
  if (!open) return;  // It was unsubscribed a moment ago.
  Message message = parse_payload(payload, open->envelope);
  message.time = batch_time();
  if (message.replaced > 0) tallies_.invalid_utf8.add(message.replaced);
  if (open->envelope == EnvelopeMode::kAlways && message.data_kind == DataKind::kPayload &&
      message.has_data) {
    tallies_.not_envelopes.add();
  }
  const bool is_too_large = may_be_too_large(payload) && encoded_bytes(message) > message_bytes_max_;
  if (open->channel->stream) {
    if (!is_too_large) append_passing(*open, message);
    return;
  }
  if (is_too_large) return append_gap(*open, 1, GapReason::kTooLarge);
  const Sequence sequence = next_sequence();
  const std::string id = format_event_id(epoch_, sequence, message.id, message.is_end);
  append(*open, Frame::of_message(message, channel, id, budget_.counter()), sequence);
}

OpenChannelPtr Sequencer::open_recorded(std::string_view name) {
  OpenChannelPtr open = channels_.open_recorded(name);
  if (open) acknowledge(*open);  // The bus delivers it already.
  return open;
}

// Step 3: into the log, then the sequence, then the hint. A shard relies on this order (Shard::drain_inbox).
void Sequencer::append(OpenChannel& open, FramePtr frame, Sequence sequence) {
  const ChannelPtr& channel = open.channel;
  const bool was_empty = channel->log.append(std::move(frame), sequence, std::chrono::steady_clock::now());
  shards_.newest().store(sequence, std::memory_order_release);
  channel->leave_hint();
  if (was_empty) budget_.track(std::shared_ptr<ChannelLog>(channel, &channel->log));
  if (budget_.is_over()) enforce_memory();
}

void Sequencer::append_gap(OpenChannel& open, std::optional<std::uint64_t> missed, GapReason reason) {
  const Sequence sequence = next_sequence();
  const std::string id = format_event_id(epoch_, sequence);
  append(open, Frame::of_gap(open.channel->name, missed, reason, id, budget_.counter()), sequence);
}

// A plain message on a channel with a history is for whoever is there: it has no id, and nobody misses it.
void Sequencer::append_passing(OpenChannel& open, const Message& message) {
  const Channel& channel = *open.channel;
  tallies_.plain.add();
  if (!std::exchange(open.fill.is_plain_told, true)) {
    log_warning("channel " + channel.name +
                " has a history, and a plain message came: only clients that are there get it");
  }
  if (channel.log.begin_sequence() == 0 || message.is_end) return;
  append(open, Frame::of_passing(message, channel.name, channel.log.end_id(), budget_.counter()),
         next_sequence());
}

void Sequencer::begin_log(OpenChannel& open, const StreamId& id) {
  const Sequence sequence = next_sequence();
  open.channel->log.begin(sequence, id);
  shards_.newest().store(sequence, std::memory_order_release);
}

// Hot path of channels with a history: once per message.
void Sequencer::append_entry(OpenChannel& open, FramePtr frame) {
  tallies_.messages.add();
  tallies_.bytes.add(frame->bytes());
  append(open, std::move(frame), next_sequence());
}

void Sequencer::append_stream_gap(OpenChannel& open, std::optional<std::uint64_t> missed, GapReason reason,
                                  const StreamId& position) {
  append(open,
         Frame::of_gap(open.channel->name, missed, reason, format_stream_id(position), budget_.counter(),
                       position),
         next_sequence());
}

void Sequencer::refuse(OpenChannel& open, std::string_view why) {
  log_warning(std::string("the bus refuses channel ").append(open.channel->name).append(": ").append(why));
  open.channel->is_refused = true;
  open.channel->leave_hint();
  shards_.wake();
}

// From now on every message of the channel arrives. Appends the gap it owes, if any. A channel with a history becomes
// live once its log is filled.
void Sequencer::acknowledge(OpenChannel& open) {
  Channel& channel = *open.channel;
  if (channel.stream) return;
  if (channel.log.begin_sequence() == 0) {
    // Start the log at a fresh sequence, so that no earlier id is a position in it.
    const Sequence sequence = next_sequence();
    channel.log.begin(sequence);
    shards_.newest().store(sequence, std::memory_order_release);
  }
  if (channel.owes_gap.exchange(false)) append_gap(open, std::nullopt, GapReason::kBusDown);
  channel.is_live = true;
  channel.leave_hint();
}

void Sequencer::on_too_large(std::string_view channel) {
  OpenChannelPtr open = channels_.find(channel);
  if (!open) open = open_recorded(channel);
  if (open && !open->channel->stream) append_gap(*open, 1, GapReason::kTooLarge);
}

void Sequencer::on_subscribed(std::string_view channel) {
  const OpenChannelPtr open = channels_.find(channel);
  if (!open) return;
  acknowledge(*open);
  shards_.wake();
}

void Sequencer::on_recording(std::string_view pattern) {
  // Covered channels are acknowledged one by one. A pattern that is a channel's name opens it at the start.
  if (pattern.find('*') == std::string_view::npos && is_channel_name(pattern)) open_recorded(pattern);
  shards_.wake();
}

void Sequencer::on_refused(std::string_view channel, std::string_view why) {
  const OpenChannelPtr open = channels_.find(channel);
  if (open && open->channel->stream) return;  // Plain messages alone are refused.
  if (open) return refuse(*open, why);
  log_warning(std::string("the bus refuses channel ").append(channel).append(": ").append(why));
}

void Sequencer::on_lost() { channels_.lose_bus(); }

void Sequencer::on_state(bool is_up) { shards_.set_bus_up(is_up); }

void Sequencer::on_idle() {
  batch_time_ = 0;
  shards_.wake();
}

std::uint64_t Sequencer::batch_time() {
  using std::chrono::milliseconds;
  if (batch_time_ == 0) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    batch_time_ = static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(now).count());
  }
  return batch_time_;
}

void Sequencer::enforce_memory() {
  // The newest message may not have left its hint yet.
  const Sequence newest = shards_.newest().load(std::memory_order_acquire);
  while (budget_.is_over() && reclaim_ && reclaim_()) {
  }
  budget_.enforce(std::min(newest, shards_.unread()), newest);
  if (held_.is_over()) shards_.relieve();
}

}  // namespace weir
