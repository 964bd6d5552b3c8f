#include "broker/hub/stream_filler.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "broker/base/logging.h"
#include "proto/envelope.h"

namespace weir {
namespace {

// At one round a second, 10,000 quiet channels are compared within ten minutes.
constexpr std::size_t kTailsPerRound = 16;
// Announcements that are kept while a channel is filled, and the largest of them; others are read.
constexpr std::size_t kParkedMax = 256;
constexpr std::size_t kParkedBytesMax = 1'024;
// How far Redis' clock may be from ours.
constexpr std::chrono::milliseconds kClocksApart{1'000};

// True if `id` is the entry that follows `last`. Another birth is looked up in the stream: believed, a forged one would
// make all that is published later look old. Where there was no stream yet, the first entry is of any birth.
bool is_next(const StreamId& last, const StreamId& id) {
  return id.n == last.n + 1 && (id.ms == last.ms || last == kStreamBegin);
}

}  // namespace

StreamFiller::StreamFiller(const EntryEncoder& encoder, HistoryReader& history, OpenChannels& channels,
                           Sequencer& sequencer)
    : encoder_(encoder), history_(history), channels_(channels), sequencer_(sequencer) {}

// --- From the bus

void StreamFiller::on_stream_subscribed(std::string_view channel) {
  const OpenChannelPtr open = channels_.find(channel);
  if (!open || !open->channel->stream) return;
  ++open->fill.round;
  open->fill.before = open->fill.since = open->fill.first = {};
  if (open->channel->log.begin_sequence() == 0) return begin(open);
  fill(open);
}

void StreamFiller::on_stream_lost(std::string_view channel) {
  const OpenChannelPtr open = channels_.find(channel);
  if (!open || !open->channel->stream) return;
  ++open->fill.round;
  open->fill.state = ChannelFill::State::kAway;
  open->channel->is_live = false;
}

void StreamFiller::on_stream_made_anew(std::string_view channel) {
  on_stream_lost(channel);
  if (const OpenChannelPtr open = channels_.find(channel)) open->fill.is_made_anew = true;
}

void StreamFiller::on_stream_refused(std::string_view channel, std::string_view why) {
  if (const OpenChannelPtr open = channels_.find(channel)) refuse(open, why);
}

// Hot path of durable channels: once per message.
void StreamFiller::on_announced(std::string_view channel, StreamEntry entry) {
  const OpenChannelPtr open = channels_.find(channel);
  if (!open || !open->channel->stream) return;  // It was unsubscribed a moment ago.
  ChannelFill& state = open->fill;
  if (state.state == ChannelFill::State::kAway) return;
  const StreamId last = open->channel->log.end_id();
  if (state.state == ChannelFill::State::kLive) {
    if (entry.id <= last) return tallies_.repeated.add();
    if (is_next(last, entry.id)) {
      tallies_.announced.add();
      return sequencer_.append_entry(*open, encoder_.encode(entry, channel, open->envelope));
    }
    state.since = entry.id;
    state.first = entry.id.n == 1 ? entry.id : kStreamBegin;
    return fill(open);
  }
  state.since = std::max(state.since, entry.id);
  // What comes while the last page is read follows it: else a busy channel would never catch up.
  if (state.state == ChannelFill::State::kFilling && state.parked.size() < kParkedMax &&
      entry.payload.size() <= kParkedBytesMax) {
    state.parked.push_back(std::move(entry));
  }
}

void StreamFiller::on_followed(std::string_view channel, std::vector<StreamEntry> entries) {
  const OpenChannelPtr open = channels_.find(channel);
  if (!open || !open->channel->stream || open->fill.state != ChannelFill::State::kLive) return;
  for (const StreamEntry& entry : entries) {
    if (entry.id <= open->channel->log.end_id()) continue;
    tallies_.followed.add();
    sequencer_.append_entry(*open, encoder_.encode(entry, channel, open->envelope));
  }
  sequencer_.on_idle();  // The bus calls it after what its subscribing connection read, not after this.
}

void StreamFiller::on_readable(bool is_readable) { history_.on_readable(is_readable); }

// --- States

void StreamFiller::begin(const OpenChannelPtr& open) {
  open->fill.state = ChannelFill::State::kBeginning;
  const auto begin_behind = [this, open, round = open->fill.round.load()](const HistoryReader::Tail& tail) {
    if (!is_due(open, round)) return;
    if (tail.is_refused) return refuse(open, tail.why);
    sequencer_.begin_log(*open, tail.id);
    // Clients that have come without an id meanwhile begin here: what was published since then is missing.
    const std::uint64_t came = open->channel->first_newcomer();
    const bool may_miss = came != 0 && tail.id != kStreamBegin && tail.time + kClocksApart.count() >= came;
    if (may_miss) sequencer_.append_stream_gap(*open, std::nullopt, GapReason::kBusDown, tail.id);
    if (open->fill.since > tail.id) return fill(open);
    become_live(open);
  };
  history_.read_tail(open->channel->stream, begin_behind, wanted_in(open));
}

// False for the answer to a read of before a loss, or for a channel that was closed meanwhile.
bool StreamFiller::is_due(const OpenChannelPtr& open, std::uint64_t round) const {
  return open->fill.round == round && channels_.find(open->channel->name) == open;
}

History::IsWanted StreamFiller::wanted_in(const OpenChannelPtr& open) {
  return [open, round = open->fill.round.load()] { return open->fill.round == round; };
}

void StreamFiller::fill(const OpenChannelPtr& open) {
  ChannelFill& state = open->fill;
  state.state = ChannelFill::State::kFilling;
  state.before = std::max(state.before, std::exchange(state.since, {}));
  state.parked.clear();
  const auto take = [this, open, round = state.round.load()](const PagePtr& page) {
    if (!is_due(open, round)) return;
    if (!page) return refuse(open, "its stream can't be read");
    on_page(open, page);
  };
  history_.read(open->channel->stream, open->channel->log.end_id(), /*is_fresh=*/true, take, wanted_in(open));
}

void StreamFiller::on_page(const OpenChannelPtr& open, const PagePtr& page) {
  Channel& channel = *open->channel;
  while (append_run(open, *page)) {
  }
  ChannelFill& state = open->fill;
  if (page->is_last) append_parked(open);
  sequencer_.on_idle();
  const StreamId end = channel.log.end_id();
  if (page->is_last && state.before > end) {
    tallies_.forged.add();
    log_warning("channel " + channel.name + ": " + format_stream_id(state.before) +
                " was announced, and is not in its stream");
    state.before = {};
  }
  if (!page->is_last || state.since > end) return fill(open);
  become_live(open);
}

// Appends the gap before the page's next entry, if there is one, and the entries up to the next hole. False if there
// was none.
bool StreamFiller::append_run(const OpenChannelPtr& open, const Page& page) {
  Channel& channel = *open->channel;
  const StreamId end = channel.log.end_id();
  PageStep step = step_from(page, end, channel.stream->kind);
  if (step.gap && std::exchange(open->fill.is_made_anew, false)) step.gap->reason = GapReason::kReset;
  const bool is_reset = step.gap && step.gap->reason == GapReason::kReset;
  if (is_reset) history_.drop_pages(channel.name);  // Of a stream that was there before.
  // The new stream begins with what was announced behind the old one's last entry: nothing is missing.
  if (is_reset && open->fill.first != kStreamBegin && step.position == id_before(open->fill.first))
    step.gap.reset();
  if (step.gap) {
    if (step.position < end) channel.log.begin_anew(step.position);
    sequencer_.append_stream_gap(*open, step.gap->missed, step.gap->reason, step.position);
  }
  const std::size_t first = step.index;
  for (; step.index < page.entries.size(); ++step.index) {
    const FramePtr& frame = page.entries[step.index].frame;
    const bool is_run = step.index == first || follows(page.entries[step.index - 1].frame->stream_id(),
                                                       frame->stream_id(), channel.stream->kind);
    if (!is_run) break;
    tallies_.filled.add();
    sequencer_.append_entry(*open, frame);
  }
  return step.index > first;
}

void StreamFiller::append_parked(const OpenChannelPtr& open) {
  for (const StreamEntry& entry : std::exchange(open->fill.parked, {})) {
    const StreamId end = open->channel->log.end_id();
    if (entry.id <= end || !is_next(end, entry.id)) continue;
    tallies_.announced.add();
    sequencer_.append_entry(*open, encoder_.encode(entry, open->channel->name, open->envelope));
  }
}

void StreamFiller::become_live(const OpenChannelPtr& open) {
  Channel& channel = *open->channel;
  open->fill.state = ChannelFill::State::kLive;
  open->fill.first = {};
  channel.is_live = true;
  channel.leave_hint();
  if (!channel.stream->is_durable()) streams_->follow(channel.name, channel.log.end_id());
  sequencer_.on_idle();
}

void StreamFiller::refuse(const OpenChannelPtr& open, std::string_view why) {
  ++open->fill.round;
  open->fill.state = ChannelFill::State::kAway;
  sequencer_.refuse(*open, why);
}

// --- Lost announcements

void StreamFiller::compare_tails() {
  if (!history_.is_readable()) return;
  for (const OpenChannelPtr& open : channels_.some_durable(kTailsPerRound)) {
    if (!open->channel->is_live) continue;
    const StreamId end = open->channel->log.end_id();
    history_.read_tail(
        open->channel->stream,
        [this, open, end](const HistoryReader::Tail& tail) { on_tail(open, tail, end); }, wanted_in(open));
  }
}

void StreamFiller::on_tail(const OpenChannelPtr& open, const HistoryReader::Tail& tail, const StreamId& end) {
  // If news has come since, the announcements arrive.
  if (channels_.find(open->channel->name) != open) return;
  if (tail.is_refused || open->fill.state != ChannelFill::State::kLive || tail.id <= end) return;
  if (open->channel->log.end_id() != end) return;
  tallies_.lost.add();
  fill(open);
}

}  // namespace weir
