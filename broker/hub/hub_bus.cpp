// The hub as the bus sees it. All of it runs on the bus thread: sequences are given out here, in one order.
#include <algorithm>
#include <utility>

#include "broker/base/logging.h"
#include "broker/hub/hub.h"
#include "broker/hub/hub_state.h"
#include "proto/channel_name.h"
#include "proto/envelope.h"
#include "proto/event_id.h"

namespace weir {

// Hot path, step 2 of docs/life-of-a-message.md: once per message.
void Hub::on_message(std::string_view channel, std::string_view payload) {
  State& state = *state_;
  state.messages_in.add();
  state.bytes_in.add(payload.size());
  OpenChannelPtr open = state.find(channel);
  if (!open) open = state.open_recorded(channel);
  if (!open) return;  // It was unsubscribed a moment ago.
  const Message message = parse_payload(payload, open->envelope);
  if (message.replaced > 0) state.invalid_utf8.add(message.replaced);
  if (open->envelope == EnvelopeMode::kAlways && message.data_kind == DataKind::kPayload &&
      message.has_data) {
    state.not_envelopes.add();
  }
  if (state.may_be_too_large(payload) && encoded_bytes(message) > state.config.max_message_bytes) {
    return state.append_gap(*open, 1, GapReason::kTooLarge);
  }
  const Sequence sequence = state.appended.load(std::memory_order_relaxed) + 1;
  const std::string id = format_event_id(state.epoch, sequence, message.id, message.is_end);
  state.append(*open, Frame::of_message(message, channel, id, state.budget.counter()), sequence);
}

void Hub::on_too_large(std::string_view channel) {
  OpenChannelPtr open = state_->find(channel);
  if (!open) open = state_->open_recorded(channel);
  if (open) state_->append_gap(*open, 1, GapReason::kTooLarge);
}

void Hub::on_subscribed(std::string_view channel) {
  const OpenChannelPtr open = state_->find(channel);
  if (!open) return;
  state_->acknowledge(*open);
  state_->wake_shards();
}

void Hub::on_recording(std::string_view pattern) {
  // The channels that it covers are told one by one. One that is named outright is open from the start.
  if (pattern.find('*') == std::string_view::npos && is_channel_name(pattern)) state_->open_recorded(pattern);
  state_->wake_shards();
}

void Hub::on_refused(std::string_view channel, std::string_view why) {
  log_warning(std::string("the bus refuses channel ").append(channel).append(": ").append(why));
  const OpenChannelPtr open = state_->find(channel);
  if (!open) return;
  open->channel->is_refused = true;
  open->channel->leave_hint();
  state_->wake_shards();
}

void Hub::on_lost() {
  const MutexLock lock(state_->mutex);
  for (const auto& [name, open] : state_->channels) {
    if (open->channel->is_live.exchange(false)) open->channel->owes_gap = true;
  }
}

void Hub::on_state(bool is_up) {
  for (const auto& shard : state_->shards) shard->set_bus_up(is_up);
}

void Hub::on_idle() { state_->wake_shards(); }

// A channel that is open because a --record pattern covers it; null if none does, or --max-channels is
// reached.
OpenChannelPtr Hub::State::open_recorded(std::string_view name) {
  OpenChannelPtr open;
  {
    const MutexLock lock(mutex);
    const auto covers = [&](const std::string& pattern) { return matches_pattern(pattern, name); };
    if (std::none_of(config.record.begin(), config.record.end(), covers)) return nullptr;
    open = find_or_open(name, std::chrono::steady_clock::now());
  }
  // The bus delivers it already.
  if (open) acknowledge(*open);
  return open;
}

// Step 3: into the log, then the sequence, then the hint. A shard relies on this order (Shard::drain_inbox).
void Hub::State::append(OpenChannel& open, FramePtr frame, Sequence sequence) {
  const ChannelPtr& channel = open.channel;
  const bool was_empty = channel->log.append(std::move(frame), sequence, std::chrono::steady_clock::now());
  appended.store(sequence, std::memory_order_release);
  channel->leave_hint();
  if (was_empty) budget.track(std::shared_ptr<ChannelLog>(channel, &channel->log));
  if (budget.is_over()) enforce_memory();
}

void Hub::State::append_gap(OpenChannel& open, std::optional<std::uint64_t> missed, GapReason reason) {
  const Sequence sequence = appended.load(std::memory_order_relaxed) + 1;
  const std::string id = format_event_id(epoch, sequence);
  append(open, Frame::of_gap(open.channel->name, missed, reason, id, budget.counter()), sequence);
}

// From now on every message of the channel arrives. Whoever may have missed some before is told here, in the
// log.
void Hub::State::acknowledge(OpenChannel& open) {
  Channel& channel = *open.channel;
  if (channel.log.begin_sequence() == 0) {
    // A sequence of its own: no id that was given out before can be taken for a position in this log.
    const Sequence sequence = appended.load(std::memory_order_relaxed) + 1;
    channel.log.begin(sequence);
    appended.store(sequence, std::memory_order_release);
  }
  if (channel.owes_gap.exchange(false)) append_gap(open, std::nullopt, GapReason::kBusDown);
  channel.is_live = true;
  channel.leave_hint();
}

void Hub::State::enforce_memory() {
  // The newest message may not be hinted yet.
  const Sequence newest = appended.load(std::memory_order_acquire);
  Sequence unread = newest;
  for (const auto& shard : shards) unread = std::min(unread, shard->unread());
  budget.enforce(unread, newest);
  if (!held->is_over()) return;
  for (const auto& shard : shards) shard->relieve();
}

void Hub::State::wake_shards() {
  for (const auto& shard : shards) shard->wake();
}

}  // namespace weir
