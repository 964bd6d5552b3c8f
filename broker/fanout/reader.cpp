#include "broker/fanout/reader.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <limits>
#include <utility>

#include "broker/fanout/batch.h"
#include "broker/fanout/stream_request.h"
#include "proto/event_id.h"

namespace weir {

namespace {

constexpr Sequence kNoneAhead = std::numeric_limits<Sequence>::max();

// What comes from a history has no sequence: it is sent first, as it was read. A jump follows the entry whose
// sequence its id names; that entry may be another channel's.
bool is_sent_before(const Outgoing& a, const Outgoing& b) {
  if (a.entry.at.sequence != b.entry.at.sequence) return a.entry.at.sequence < b.entry.at.sequence;
  if (a.entry.at.sequence == 0) return false;
  return a.entry.frame->kind() != FrameKind::kJump && b.entry.frame->kind() == FrameKind::kJump;
}

std::string position_of(const ReadContext& context, const Cursor& at) {
  return format_event_id(context.epoch, at.sequence);
}

Beginning beginning_of(const StreamRequest& request, std::size_t channel) {
  return request.beginnings.empty() ? Beginning() : request.beginnings[channel];
}

}  // namespace

void Reader::follow(std::shared_ptr<Feed> feed, std::size_t index_in_feed) {
  Subscription mine;
  mine.feed = std::move(feed);
  mine.index_in_feed = static_cast<std::uint32_t>(index_in_feed);
  subscriptions_.push_back(std::move(mine));
}

Reader::Start Reader::start(ReadContext& context, const StreamRequest& request, Sequence now) {
  Sequence position = now;
  for (Subscription& mine : subscriptions_) {
    const Channel& channel = *mine.feed->channel;
    const ChannelLog::Place place = channel.log.place_at(now);
    mine.cursor = place.cursor;
    mine.is_dirty = true;
    mine.has_history = channel.stream != nullptr;
    mine.has_position = mine.has_history && place.id;
    if (mine.has_position) mine.position = *place.id;
    mine.is_newcomer = mine.has_history && !mine.has_position;
    note_awaiting(mine, false);
    has_newcomers_ |= mine.is_newcomer;
    // A cursor is later than `now` if entries were forgotten before their hint came.
    position = std::max(position, mine.cursor.sequence);
  }
  if ((follows_many() || request.may_add_channels) && has_history()) {
    composite_ = std::make_unique<Composite>(Composite{request.encoding.form, position, {}});
    for (const Subscription& mine : subscriptions_) {
      const StreamPosition its{mine.position};
      composite_->sent.push_back(mine.has_position ? std::optional(its) : std::nullopt);
    }
  }
  Start start;
  const auto has_replay = [](const Beginning& beginning) { return beginning.replay > 0; };
  if (!request.last_event_id && !request.since &&
      std::none_of(request.beginnings.begin(), request.beginnings.end(), has_replay)) {
    start.id = position_id(context, position);
    return start;
  }
  replay_ = std::make_unique<Replay>();
  replay_->until = now;
  for (const Subscription& mine : subscriptions_) replay_->live_from.push_back(mine.cursor);
  start.id = request.last_event_id ? resume(context, request, start.gaps) : first_visit(context, request);
  return start;
}

void Reader::clear() {
  for (const Subscription& mine : subscriptions_) {
    if (mine.awaits_log()) --mine.feed->awaiting_log;
  }
  subscriptions_.clear();
  ahead_.clear();
}

// Places the cursors for the replays that `request` asks for. Returns the id with which the stream begins.
std::string Reader::first_visit(ReadContext& context, const StreamRequest& request) {
  Sequence first = replay_->until;
  for (std::uint32_t i = 0; i < subscriptions_.size(); ++i) {
    const Beginning beginning = beginning_of(request, i);
    if (beginning.replay > 0) {
      first = std::min(first, begin_replay(context, i, beginning.replay));
    } else if (request.since && subscriptions_[i].has_history) {
      read_back_from(i, Wish{.kind = Wish::Kind::kSince, .number = *request.since});
    }
  }
  if (composite_) composite_->live = first;
  return position_id(context, first);
}

// Places one cursor before the channel's last `messages`. Returns the position of the live channels then.
Sequence Reader::begin_replay(ReadContext& context, std::uint32_t subscription, std::size_t messages) {
  if (!subscriptions_[subscription].has_history) return replay_last(context, subscription, messages);
  read_back_from(subscription, Wish{.kind = Wish::Kind::kNewest, .number = messages});
  return replay_->until;
}

// Places the cursors at the client's last id, and those of new channels where they begin. Returns the id with which
// the stream begins.
std::string Reader::resume(ReadContext& context, const StreamRequest& request, std::string& gaps) {
  const std::string& last_event_id = *request.last_event_id;
  const auto position = parse_position(last_event_id);
  const bool is_live_known = position && position->live && position->live->epoch == context.epoch &&
                             position->live->sequence <= replay_->until;
  std::vector<std::string> names;
  for (std::uint32_t i = 0; i < subscriptions_.size(); ++i) names.push_back(channel_name(i));
  bool is_known = true;
  bool resumes_live = false;  // A channel that is live and not new.
  Sequence first = replay_->until;
  for (std::uint32_t i = 0; i < subscriptions_.size(); ++i) {
    const bool has_history = subscriptions_[i].has_history;
    if (const Beginning beginning = beginning_of(request, i); beginning.is_new) {
      if (beginning.replay > 0) first = std::min(first, begin_replay(context, i, beginning.replay));
      continue;
    }
    resumes_live |= !has_history;
    const auto its =
        position && has_history
            ? position->of(names[i], subscriptions_[i].feed->channel->stream->is_durable(), names)
            : std::nullopt;
    if (its) {
      read_back_from(i, *its);
    } else if (!has_history && is_live_known) {
      place_cursor(context, i, position->live->sequence);
    } else {
      append_gap(context, gaps, i, std::nullopt, GapReason::kHistory);
      if (composite_) composite_->sent[i] = std::nullopt;
      is_known = false;
    }
  }
  // Live channels share one position. It is that of those that go on, else of the new ones.
  if (!resumes_live) {
    if (composite_) composite_->live = first;
    if (composite_ || !subscriptions_[0].has_history || beginning_of(request, 0).is_new)
      return position_id(context, first);
  }
  // What no log knows begins at 0, so that a client cut off before the gap is told of it again.
  const Sequence live = is_live_known ? position->live->sequence : 0;
  const bool is_mixed = resumes_live && first < replay_->until;
  if (is_mixed && !composite_) {
    // What is replayed must not move the position back: what goes on would come twice.
    composite_ = std::make_unique<Composite>(Composite{request.encoding.form, live, {}});
    composite_->sent.resize(subscriptions_.size());
  }
  if (composite_) {
    composite_->live = live;
    std::string id = composite_id(context, *composite_);
    // The gaps come before all that is replayed, so everything up to `until` is told by then.
    if (is_mixed && !is_live_known) composite_->live = replay_->until;
    return id;
  }
  if (is_known && subscriptions_[0].has_history) return last_event_id.substr(0, last_event_id.find('~'));
  return format_event_id(context.epoch, is_known ? live : 0);
}

// Places one cursor after `sequence`, or, with a gap, as early as the log allows.
void Reader::place_cursor(ReadContext& context, std::uint32_t subscription, Sequence sequence) {
  Subscription& mine = subscriptions_[subscription];
  ChannelLog& log = mine.feed->channel->log;
  log.forget_old(std::chrono::steady_clock::now());  // Housekeeping comes by only now and then.
  const auto position = log.find_in_history(sequence, replay_->until);
  if (position && !position->is_forgotten) {
    mine.cursor = position->cursor;
    return;
  }
  Skip skip;
  if (position) {
    skip = log.skip_to_history(position->cursor, replay_->until);
    skip.gaps = {};  // They are part of the uncounted.
  } else {
    // The id is from before the present subscription: a replay could send messages twice.
    skip.to = mine.cursor;
    skip.to.sequence = std::max(skip.to.sequence, replay_->until);
  }
  skip.missed.reset();
  mine.cursor = skip.to;
  tell_skip(context, subscription, {sequence, 0, 0}, skip, GapReason::kHistory);
  if (skip.end) land_at_end(subscription, std::move(skip));
}

// Places one cursor before the channel's last `messages`. Returns the position at which the stream begins then.
Sequence Reader::replay_last(ReadContext& context, std::uint32_t subscription, std::size_t messages) {
  Subscription& mine = subscriptions_[subscription];
  ChannelLog& log = mine.feed->channel->log;
  log.forget_old(std::chrono::steady_clock::now());
  ChannelLog::Tail tail = log.tail(messages, replay_->until);
  if (tail.from.sequence < mine.cursor.sequence) mine.cursor = tail.from;
  // An empty log's cursor does not say when the log began.
  const Sequence first = std::max(mine.cursor.sequence, log.begin_sequence());
  if (tail.missed == 0) return first;
  Skip skip;
  skip.missed = tail.missed;
  skip.gaps = std::move(tail.gaps);
  skip.to = tail.from;
  tell_skip(context, subscription, {tail.run_begin, 0, 0}, skip, GapReason::kHistory);
  return std::min(first, tail.run_begin);
}

Reader::Next Reader::read(ReadContext& context, std::vector<Outgoing>& out) {
  if (follows_many() || composite_) return read_many(context, out);
  if (!ahead_.empty()) {
    take_ahead(out);
    std::stable_sort(out.begin(), out.end(), is_sent_before);
    return Next::kEntries;
  }
  if (subscriptions_[0].has_ended) return Next::kNothing;
  const Sequence position = subscriptions_[0].feed->position.sequence;
  return read_one(context, 0, replay_ ? replay_->until : position, kBatchBytes, out);
}

// Reads one channel's log up to `horizon`, or jumps over entries that this reader can't have any more. One that reads
// back goes on with the history.
Reader::Next Reader::read_one(ReadContext& context, std::uint32_t subscription, Sequence horizon,
                              std::size_t bytes_max, std::vector<Outgoing>& out) {
  Subscription& mine = subscriptions_[subscription];
  if (mine.back) return read_back(context, subscription, bytes_max, out);
  const bool may_read_back = mine.feed->channel->policy == SlowClientPolicy::kReadHistory;
  if (!may_read_back && is_over_queue(subscription)) {
    const Next next = jump(context, subscription, horizon);
    if (next != Next::kNothing) return next;
  }
  auto& entries = context.entries;
  entries.clear();
  const auto result = mine.feed->channel->log.read(mine.cursor, horizon, bytes_max, entries);
  if (result.is_forgotten && may_read_back) {
    // One that came before the log began, and was sent nothing since, stands where it began.
    if (!mine.has_position) mine.position = mine.feed->channel->log.begin_id();
    mine.has_position = true;
    begin_reading_back(mine);
    return Next::kJumped;
  }
  if (result.is_forgotten) {
    const Next next = jump(context, subscription, horizon);
    return next == Next::kTooSlow ? next : Next::kJumped;
  }
  mine.is_dirty = result.has_more;
  if (replay_ && mine.has_history) {
    const bool was_empty = entries.empty();
    drop_unreplayed(subscription, entries);
    if (entries.empty() && !was_empty) return Next::kJumped;
  }
  for (LogEntry& entry : entries) out.push_back({std::move(entry), subscription});
  return entries.empty() ? Next::kNothing : Next::kEntries;
}

// The last of the subscription's entries in ahead_; kNoneAhead if there is none.
Sequence Reader::last_ahead(const Subscription& subscription) const {
  Sequence last = 0;
  for (const Outgoing& item : ahead_) {
    if (&subscriptions_[item.subscription] == &subscription) last = std::max(last, item.entry.at.sequence);
  }
  return last == 0 ? kNoneAhead : last;
}

// Merges the channels with news by sequence, never past the horizon. A cut in the middle must not leave an id
// that hides an earlier message of another channel.
Reader::Next Reader::read_many(ReadContext& context, std::vector<Outgoing>& out) {
  // A channel that was not read to the horizon holds back everything after its last entry, whether its next
  // entries are in the log or in ahead_.
  // Channels that are live don't wait for the history of others.
  Sequence complete = replay_ && !reads_back() ? replay_->until : context.horizon;
  for (const Subscription& mine : subscriptions_) {
    if (!mine.has_ended && !mine.back) complete = std::min(complete, last_ahead(mine));
  }
  const Sequence horizon = complete;
  const auto has_news = [&](const Subscription& mine) {
    return (mine.is_dirty || mine.back) && !mine.has_ended && last_ahead(mine) == kNoneAhead;
  };
  bool is_waiting = false;
  const auto dirty =
      static_cast<std::size_t>(std::count_if(subscriptions_.begin(), subscriptions_.end(), has_news));
  for (std::uint32_t i = 0; i < subscriptions_.size(); ++i) {
    if (!has_news(subscriptions_[i])) continue;
    const Next next = read_one(context, i, horizon, kBatchBytes / dirty, out);
    if (next == Next::kJumped || next == Next::kTooSlow) {
      out.clear();
      set_all_dirty();  // Entries of other channels are read again.
      return next;
    }
    is_waiting |= next == Next::kWaits;
    const bool is_cut = next == Next::kEntries && !subscriptions_[i].back && subscriptions_[i].is_dirty;
    if (is_cut && out.back().entry.frame->kind() != FrameKind::kEnd) {
      complete = std::min(complete, out.back().entry.at.sequence);
    }
  }
  take_ahead(out);
  std::stable_sort(out.begin(), out.end(), is_sent_before);
  while (!out.empty() && out.back().entry.at.sequence > complete) {
    take_back(std::move(out.back()));
    out.pop_back();
  }
  if (out.empty()) return is_waiting ? Next::kWaits : Next::kNothing;
  if (composite_) set_ids(context, out);
  return Next::kEntries;
}

void Reader::take_back(Outgoing outgoing) {
  Subscription& mine = subscriptions_[outgoing.subscription];
  const bool is_of_page = mine.back && outgoing.entry.frame->kind() != FrameKind::kJump;
  if (!is_of_page && outgoing.entry.at.sequence <= mine.cursor.sequence) {
    ahead_.push_back(std::move(outgoing));  // The cursor has passed it, so the log won't give it again.
  } else {
    mine.is_dirty = true;
  }
}

bool Reader::on_sent(const LogEntry& entry, std::uint32_t subscription) {
  Subscription& mine = subscriptions_[subscription];
  if (entry.at.sequence > mine.cursor.sequence) mine.cursor = entry.at;
  if (mine.has_history && entry.frame->stream_id() != kStreamBegin) {
    mine.position = entry.frame->stream_id();
    mine.has_position = true;
  }
  if (composite_) composite_->note(entry, subscription, mine.has_history);
  if (entry.frame->kind() != FrameKind::kEnd) return false;
  mine.has_ended = true;
  if (mine.back) join(subscription, mine.cursor);
  return has_ended();
}

bool Reader::has_ended() const {
  const auto has_ended = [](const Subscription& mine) { return mine.has_ended; };
  return std::all_of(subscriptions_.begin(), subscriptions_.end(), has_ended);
}

bool Reader::is_over_queue(std::uint32_t subscription) const {
  const Subscription& mine = subscriptions_[subscription];
  if (mine.back) return false;
  const Cursor& end = mine.feed->position;
  Cursor from = mine.cursor;
  if (replay_ && from.sequence < replay_->live_from[subscription].sequence)
    from = replay_->live_from[subscription];
  return end.sequence > from.sequence && !mine.feed->channel->log.is_within_queue(from, end);
}

bool Reader::is_too_slow(std::uint32_t subscription) const {
  const Subscription& mine = subscriptions_[subscription];
  return mine.feed->channel->policy == SlowClientPolicy::kDisconnect && !mine.has_ended &&
         is_over_queue(subscription);
}

void Reader::set_all_dirty() {
  for (Subscription& mine : subscriptions_) mine.is_dirty = true;
}

// Jumps over entries that this reader can't have. kNothing if there are none.
Reader::Next Reader::jump(ReadContext& context, std::uint32_t subscription, Sequence horizon) {
  Subscription& mine = subscriptions_[subscription];
  const Channel& channel = *mine.feed->channel;
  const GapReason reason = reason_of_jump(subscription);
  if (channel.policy == SlowClientPolicy::kDisconnect && reason == GapReason::kSlowClient)
    return Next::kTooSlow;
  const bool conflates = channel.policy == SlowClientPolicy::kLatest && reason == GapReason::kSlowClient;
  Skip skip = conflates ? channel.log.conflate(mine.cursor, horizon, kBatchBytes)
                        : channel.log.skip(mine.cursor, true, horizon);
  if (skip.to.sequence <= mine.cursor.sequence) return Next::kNothing;
  const Cursor from = std::exchange(mine.cursor, skip.to);
  if (mine.has_history) {
    mine.position = skip.to_id;
    mine.has_position = true;
  }
  mine.is_dirty = true;
  tell_skip(context, subscription, from, skip, reason);
  for (LogEntry& entry : skip.conflated) ahead_.push_back({std::move(entry), subscription});
  if (skip.end) land_at_end(subscription, std::move(skip));
  return Next::kJumped;
}

GapReason Reader::reason_of_jump(std::uint32_t subscription) const {
  const Subscription& mine = subscriptions_[subscription];
  if (mine.feed->channel->log.was_evicted(mine.cursor)) return GapReason::kMemory;
  if (replay_ && mine.cursor.sequence < replay_->live_from[subscription].sequence) return GapReason::kHistory;
  return GapReason::kSlowClient;
}

// Sends the end last: nothing after it is for this stream.
void Reader::land_at_end(std::uint32_t subscription, Skip skip) {
  subscriptions_[subscription].has_ended = true;
  ahead_.push_back({{std::move(skip.end), skip.to, {}}, subscription});
}

// Tells the client of the entries that `skip` jumps over from `from`.
void Reader::tell_skip(ReadContext& context, std::uint32_t subscription, const Cursor& from, const Skip& skip,
                       GapReason reason) {
  if (follows_many()) return tell_skip_of_many(context, subscription, from, skip, reason);
  // Put each gap at a position that hides nothing still to come: neither a conflated message nor the end.
  const bool has_history = subscriptions_[subscription].has_history;
  Cursor at = skip.conflated.empty() ? skip.to : skip.conflated.front().at;
  StreamId at_id = skip.conflated.empty() ? skip.to_id : skip.conflated.front().frame->stream_id();
  if (skip.end || !skip.conflated.empty()) {
    --at.sequence;
    if (has_history) at_id = id_before(at_id);
  }
  std::string gaps;
  if (skip.missed != 0U) append_gap(context, gaps, subscription, skip.missed, reason);
  for (const SharedGap& gap : skip.gaps) {
    if (gap.last.sequence <= at.sequence) append_gap(context, gaps, subscription, gap.missed, gap.reason);
  }
  const std::string id = has_history ? format_stream_id(at_id) : position_of(context, at);
  if (!gaps.empty()) tell_ahead(context, subscription, std::move(gaps), at, id, at_id);
  for (const SharedGap& gap : skip.gaps) {
    if (gap.last.sequence <= at.sequence) continue;
    std::string later;
    append_gap(context, later, subscription, gap.missed, gap.reason);
    tell_ahead(context, subscription, std::move(later), gap.last,
               has_history ? std::string() : position_of(context, gap.last), {});
  }
}

// Other channels have messages among the entries that are jumped over, and their ids move the client's
// position past some of these. So send the gap first, and its position after those messages: a client that is
// cut off in between is told again.
void Reader::tell_skip_of_many(ReadContext& context, std::uint32_t subscription, const Cursor& from,
                               const Skip& skip, GapReason reason) {
  std::string gaps;
  if (skip.missed != 0U) append_gap(context, gaps, subscription, skip.missed, reason);
  for (const SharedGap& gap : skip.gaps) append_gap(context, gaps, subscription, gap.missed, gap.reason);
  if (gaps.empty()) return;
  tell_ahead(context, subscription, std::move(gaps), from, {}, {});
  if (skip.conflated.empty() && !skip.end)
    tell_ahead(context, subscription, {}, skip.to, position_of(context, skip.to), skip.to_id);
}

void Reader::append_gap(ReadContext& context, std::string& gaps, std::uint32_t subscription,
                        std::optional<std::uint64_t> missed, GapReason reason) {
  gaps.append(encode_gap(channel_name(subscription), missed, reason));
  (*context.gaps)[static_cast<std::size_t>(reason)].add();
  if (missed) (*context.missed)[static_cast<std::size_t>(reason)].add(*missed);
  ++gaps_;
}

// Queues `gaps`, followed by the position `id`, to be sent at `at`.
void Reader::tell_ahead(ReadContext& context, std::uint32_t subscription, std::string gaps, const Cursor& at,
                        const std::string& id, const StreamId& stream_id) {
  ahead_.push_back({{Frame::of_jump(std::move(gaps), id, context.frames, stream_id), at, {}}, subscription});
}

void Reader::take_ahead(std::vector<Outgoing>& out) {
  out.insert(out.begin(), std::make_move_iterator(ahead_.begin()), std::make_move_iterator(ahead_.end()));
  // Free the memory: only a stuck client keeps any of its own.
  std::vector<Outgoing>().swap(ahead_);
}

std::size_t Reader::frame_bytes_beside_logs() const {
  std::size_t bytes = 0;
  for (const Outgoing& item : ahead_) {
    if (!item.entry.frame->is_logged()) bytes += item.entry.frame->held_bytes();
  }
  return bytes;
}

Reader::Replayed Reader::end_replay(const ReadContext& context) {
  Replayed replayed{replay_->messages, {}};
  if (composite_) {
    // Channels whose position was unknown have one now: everything up to `until` was sent, or told as missed.
    composite_->live = std::max(composite_->live, replay_->until);
    for (std::size_t i = 0; i < subscriptions_.size(); ++i) {
      const StreamPosition its{subscriptions_[i].position};
      if (subscriptions_[i].has_position && !composite_->sent[i]) composite_->sent[i] = its;
    }
  }
  replayed.id = position_id(context, composite_ ? composite_->live : replay_->until);
  replay_.reset();
  if (!has_history()) composite_.reset();  // From here on the ids of the messages say it all.
  return replayed;
}

std::string Reader::place_newcomers(const ReadContext& context) {
  bool is_placed = false;
  has_newcomers_ = false;
  for (std::uint32_t i = 0; i < subscriptions_.size(); ++i) {
    Subscription& mine = subscriptions_[i];
    if (!mine.is_newcomer) continue;
    const ChannelLog& log = mine.feed->channel->log;
    if (log.begin_sequence() == 0) {
      has_newcomers_ = true;
      continue;
    }
    mine.is_newcomer = false;
    note_awaiting(mine, true);
    if (mine.has_position) continue;
    is_placed = true;
    mine.position = log.begin_id();
    mine.has_position = true;
    if (composite_) composite_->sent[i] = StreamPosition{mine.position};
  }
  return is_placed ? position_id(context, composite_ ? composite_->live : 0) : std::string();
}

void Reader::note_awaiting(const Subscription& mine, bool did_before) {
  if (mine.awaits_log() == did_before) return;
  did_before ? --mine.feed->awaiting_log : ++mine.feed->awaiting_log;
}

// --- The history

void Reader::read_back_from(std::uint32_t subscription, const StreamPosition& position) {
  Subscription& mine = subscriptions_[subscription];
  if (composite_) composite_->sent[subscription] = position;
  StreamId id = position.id;
  if (position.is_short) {
    const StreamId end = mine.feed->channel->log.end_id();
    if (time_of_birth(end.ms) != time_of_birth(id.ms)) {
      read_back_from(subscription, Wish{.kind = Wish::Kind::kBirth, .from = id});
      return;
    }
    id.ms = end.ms;
  }
  begin_reading_back(mine);
  mine.position = id;
  mine.has_position = true;
}

void Reader::read_back_from(std::uint32_t subscription, const Wish& wish) {
  Subscription& mine = subscriptions_[subscription];
  begin_reading_back(mine);
  mine.back->wish = wish;
  mine.has_position = false;
  const bool is_told = wish.kind == Wish::Kind::kBirth;  // Its position goes back to the client as it came.
  if (composite_ && !is_told) composite_->sent[subscription] = std::nullopt;
}

void Reader::begin_reading_back(Subscription& mine) {
  const bool did_await = mine.awaits_log();
  mine.is_newcomer = false;
  mine.back = std::make_unique<ReadingBack>();
  note_awaiting(mine, did_await);
  mine.cursor = {};
}

Reader::Next Reader::read_back(ReadContext& context, std::uint32_t subscription, std::size_t bytes_max,
                               std::vector<Outgoing>& out) {
  Subscription& mine = subscriptions_[subscription];
  const Channel& channel = *mine.feed->channel;
  ReadingBack& back = *mine.back;
  if (back.is_waiting) return Next::kWaits;
  if (back.wish) return ask(context, subscription, back.wish);
  const ChannelLog::Joint joint = channel.log.join(mine.position);
  if (joint.place == ChannelLog::Joint::Place::kHere) {
    join(subscription, joint.cursor);
    return Next::kJumped;
  }
  if (back.is_ahead) {
    if (joint.place != ChannelLog::Joint::Place::kBefore) return Next::kWaits;
    set_ahead(mine, false);
  }
  PagePtr page = std::exchange(back.page, nullptr);
  if (page && !page->is_last && !page->reaches_past(mine.position)) page.reset();  // All of it was sent.
  if (!page) page = context.history->find(*channel.stream, mine.position);
  if (!page) {
    back.is_fresh |= joint.place == ChannelLog::Joint::Place::kBeyond;
    return ask(context, subscription, std::nullopt);
  }
  const PageStep step = step_from(*page, mine.position, channel.stream->kind);
  if (step.gap || step.position != mine.position) {
    if (step.gap) tell_missing(context, subscription, *step.gap, step.position);
    // Behind a reset other pages come.
    if (step.position > mine.position) back.page = std::move(page);
    mine.position = step.position;
    return Next::kJumped;
  }
  if (step.index == page->entries.size()) return at_end_of_stream(context, subscription, joint);
  return read_page(context, page, step.index, subscription, bytes_max, out);
}

// Gives the entries of `page` from `index` on. In a replay the ends before the last one are left out.
Reader::Next Reader::read_page(ReadContext& context, const PagePtr& page, std::size_t index,
                               std::uint32_t subscription, std::size_t bytes_max,
                               std::vector<Outgoing>& out) {
  Subscription& mine = subscriptions_[subscription];
  ReadingBack& back = *mine.back;
  back.is_fresh = false;
  const StreamKind kind = mine.feed->channel->stream->kind;
  std::size_t bytes = 0;
  const std::size_t first = index;
  for (; index < page->entries.size(); ++index) {
    const FramePtr& frame = page->entries[index].frame;
    if (bytes > 0 && bytes + frame->bytes() > bytes_max) break;
    if (index > first && !follows(page->entries[index - 1].frame->stream_id(), frame->stream_id(), kind))
      break;
    if (frame->kind() == FrameKind::kEnd && replay_) {
      const StreamId& id = frame->stream_id();
      const StreamId logged = mine.feed->channel->log.last_end_id();
      const bool is_earlier = logged > id || (back.last_end && *back.last_end > id);
      if (index > first && (is_earlier || !back.last_end)) break;
      if (is_earlier) {
        mine.position = id;
        back.page = page;
        return Next::kJumped;
      }
      if (!back.last_end) {
        back.page = page;
        return ask(context, subscription, Wish{.kind = Wish::Kind::kLastEnd, .from = id});
      }
    }
    bytes += frame->bytes();
    out.push_back({{frame, {}, {}}, subscription});
    if (frame->kind() == FrameKind::kEnd) break;
  }
  back.page = page;
  return Next::kEntries;
}

// Nothing follows in the stream, and the position is not in the log.
Reader::Next Reader::at_end_of_stream(ReadContext& context, std::uint32_t subscription,
                                      const ChannelLog::Joint& joint) {
  Subscription& mine = subscriptions_[subscription];
  ReadingBack& back = *mine.back;
  if (joint.place == ChannelLog::Joint::Place::kUnknown) {
    set_ahead(mine, true);
    return Next::kWaits;
  }
  if (!std::exchange(back.is_fresh, true)) return ask(context, subscription, std::nullopt);
  if (joint.place == ChannelLog::Joint::Place::kBeyond) {
    set_ahead(mine, true);
    return Next::kWaits;
  }
  // The log may have gone on since.
  if (back.logged < joint.base) return ask(context, subscription, std::nullopt);
  // The stream has lost what the log still has in part.
  const Channel& channel = *mine.feed->channel;
  const StreamId target = joint.base > mine.position ? joint.base : channel.log.end_id();
  const bool is_counted = channel.stream->is_durable() && target.ms == mine.position.ms;
  const auto missed = is_counted ? std::optional(target.n - mine.position.n) : std::nullopt;
  tell_missing(context, subscription, {missed, is_counted ? GapReason::kHistory : GapReason::kReset}, target);
  mine.position = target;
  return Next::kJumped;
}

void Reader::set_ahead(Subscription& mine, bool is_ahead) {
  const bool did_await = mine.awaits_log();
  mine.back->is_ahead = is_ahead;
  note_awaiting(mine, did_await);
}

Reader::Next Reader::ask(ReadContext& context, std::uint32_t subscription, const std::optional<Wish>& wish) {
  Subscription& mine = subscriptions_[subscription];
  mine.back->is_waiting = true;
  mine.back->logged = mine.feed->channel->log.end_id();
  context.asks.push_back({subscription, wish, mine.position, mine.back->is_fresh});
  return Next::kWaits;
}

bool Reader::on_page(std::uint32_t subscription, PagePtr page) {
  if (subscription >= subscriptions_.size() || !subscriptions_[subscription].back) return true;
  ReadingBack& back = *subscriptions_[subscription].back;
  back.is_waiting = false;
  back.page = std::move(page);
  return back.page != nullptr;
}

bool Reader::on_located(ReadContext& context, std::uint32_t subscription, const Located& located) {
  if (subscription >= subscriptions_.size() || !subscriptions_[subscription].back) return true;
  Subscription& mine = subscriptions_[subscription];
  mine.back->is_waiting = false;
  if (located.is_refused) return false;
  if (!mine.back->wish) {
    mine.back->last_end = located.position;
    return true;
  }
  mine.back->wish.reset();
  mine.position = located.position;
  mine.has_position = true;
  if (located.gap) {
    tell_missing(context, subscription, *located.gap, located.position);
  } else if (composite_) {
    composite_->sent[subscription] = StreamPosition{located.position};
  }
  return true;
}

bool Reader::reads_back() const {
  return std::any_of(subscriptions_.begin(), subscriptions_.end(),
                     [](const Subscription& mine) { return mine.back != nullptr; });
}

void Reader::drop_pages() {
  for (Subscription& mine : subscriptions_) {
    if (mine.back) mine.back->page.reset();
  }
}

// From here on the log has everything.
void Reader::join(std::uint32_t subscription, const Cursor& cursor) {
  Subscription& mine = subscriptions_[subscription];
  mine.cursor = cursor;
  mine.is_dirty = true;
  const bool did_await = mine.awaits_log();
  mine.back.reset();
  note_awaiting(mine, did_await);
}

void Reader::tell_missing(ReadContext& context, std::uint32_t subscription, const PageStep::Gap& gap,
                          const StreamId& position) {
  std::string block;
  append_gap(context, block, subscription, gap.missed, gap.reason);
  tell_ahead(context, subscription, std::move(block), {}, format_stream_id(position), position);
}

// A replay goes up to the last end, and passing messages are for those who were there. Leaves the entries before the
// first of these, or moves the cursor behind it.
void Reader::drop_unreplayed(std::uint32_t subscription, std::vector<LogEntry>& entries) {
  Subscription& mine = subscriptions_[subscription];
  const StreamId last_end = mine.feed->channel->log.last_end_id();
  const auto is_dropped = [&](const LogEntry& entry) {
    const FrameKind kind = entry.frame->kind();
    if (kind == FrameKind::kEnd) return entry.frame->stream_id() < last_end;
    return kind == FrameKind::kPassing && entry.at.sequence <= replay_->until;
  };
  const auto dropped = std::find_if(entries.begin(), entries.end(), is_dropped);
  if (dropped == entries.end()) return;
  mine.is_dirty = true;
  if (dropped == entries.begin()) {
    mine.cursor = dropped->at;
    mine.position = dropped->frame->stream_id();
  }
  entries.erase(dropped, entries.end());
}

// --- Ids

bool Reader::has_history() const {
  return std::any_of(subscriptions_.begin(), subscriptions_.end(),
                     [](const Subscription& mine) { return mine.has_history; });
}

void Reader::Composite::note(const LogEntry& entry, std::uint32_t subscription, bool has_history) {
  if (!entry.frame->moves_position()) return;
  if (!has_history) {
    live = std::max(live, entry.at.sequence);
  } else if (entry.frame->stream_id() != kStreamBegin) {
    sent[subscription] = StreamPosition{entry.frame->stream_id()};
  }
}

// Gives each entry the id that stands for everything up to it.
void Reader::set_ids(ReadContext& context, std::vector<Outgoing>& out) const {
  Composite running = *composite_;
  for (Outgoing& item : out) {
    FramePtr& frame = item.entry.frame;
    running.note(item.entry, item.subscription, subscriptions_[item.subscription].has_history);
    frame = Frame::with_id(*frame, running.form, channel_name(item.subscription),
                           composite_id(context, running), context.frames);
  }
}

std::string Reader::composite_id(const ReadContext& context, const Composite& composite) const {
  std::vector<CompositePart> parts;
  bool has_live = false;
  for (std::uint32_t i = 0; i < subscriptions_.size(); ++i) {
    const ChannelStreamPtr& stream = subscriptions_[i].feed->channel->stream;
    has_live |= stream == nullptr;
    if (stream && composite.sent[i])
      parts.push_back({channel_name(i), *composite.sent[i], stream->is_durable()});
  }
  if (parts.empty() && !has_live) return {};
  if (!has_history()) return format_event_id(context.epoch, composite.live);
  return format_composite_id(parts,
                             has_live ? format_event_id(context.epoch, composite.live) : std::string());
}

// The id of a client that was sent everything up to `sequence`, and of channels with a history up to its positions.
std::string Reader::position_id(const ReadContext& context, Sequence sequence) const {
  if (composite_) {
    Composite composite = *composite_;
    composite.live = sequence;
    return composite_id(context, composite);
  }
  const Subscription& mine = subscriptions_[0];
  if (!follows_many() && mine.has_history) return mine.has_position ? format_stream_id(mine.position) : "";
  return format_event_id(context.epoch, sequence);
}

}  // namespace weir
