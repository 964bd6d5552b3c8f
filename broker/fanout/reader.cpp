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

// A jump follows the entry whose sequence its id names; that entry may be another channel's.
bool is_sent_before(const Outgoing& a, const Outgoing& b) {
  if (a.entry.at.sequence != b.entry.at.sequence) return a.entry.at.sequence < b.entry.at.sequence;
  return a.entry.frame->kind() != FrameKind::kJump && b.entry.frame->kind() == FrameKind::kJump;
}

std::string position_of(const ReadContext& context, const Cursor& at) {
  return format_event_id(context.epoch, at.sequence);
}

}  // namespace

void Reader::follow(std::shared_ptr<Feed> feed, std::size_t index_in_feed) {
  subscriptions_.push_back({std::move(feed), {}, static_cast<std::uint32_t>(index_in_feed)});
}

Reader::Start Reader::start(ReadContext& context, const StreamRequest& request, Sequence now) {
  Start start;
  start.position = now;
  for (Subscription& mine : subscriptions_) {
    mine.cursor = mine.feed->channel->log.at(now);
    // A cursor is later than `now` if entries were forgotten before their hint came.
    start.position = std::max(start.position, mine.cursor.sequence);
    mine.is_dirty = true;
  }
  if (!request.last_event_id && request.replay == 0) return start;
  replay_ = std::make_unique<Replay>();
  replay_->until = now;
  for (const Subscription& mine : subscriptions_) replay_->live_from.push_back(mine.cursor);
  bool is_known = true;
  start.position = request.last_event_id ? resume(context, *request.last_event_id, start.gaps, is_known)
                                         : replay_last(context, request.replay);
  // No log knows the id. Begin at 0, so that a client cut off before the gap is told of it again.
  if (!is_known) start.position = 0;
  return start;
}

void Reader::clear() {
  subscriptions_.clear();
  ahead_.clear();
}

// Places the cursors at `last_event_id`. Returns the position at which the stream begins.
Sequence Reader::resume(ReadContext& context, const std::string& last_event_id, std::string& gaps,
                        bool& is_known) {
  const auto id = parse_event_id(last_event_id);
  is_known = id && id->epoch == context.epoch && id->sequence <= replay_->until;
  for (std::uint32_t i = 0; i < subscriptions_.size(); ++i) {
    if (is_known) {
      place_cursor(context, i, id->sequence);
    } else {
      append_gap(context, gaps, i, std::nullopt, GapReason::kHistory);
    }
  }
  return is_known ? id->sequence : 0;
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

Sequence Reader::replay_last(ReadContext& context, std::size_t messages) {
  Sequence first = replay_->until;
  for (std::uint32_t i = 0; i < subscriptions_.size(); ++i) {
    Subscription& mine = subscriptions_[i];
    ChannelLog& log = mine.feed->channel->log;
    log.forget_old(std::chrono::steady_clock::now());
    ChannelLog::Tail tail = log.tail(messages, replay_->until);
    if (tail.from.sequence < mine.cursor.sequence) mine.cursor = tail.from;
    if (tail.missed > 0) {
      Skip skip;
      skip.missed = tail.missed;
      skip.gaps = std::move(tail.gaps);
      skip.to = tail.from;
      tell_skip(context, i, {tail.run_begin, 0, 0}, skip, GapReason::kHistory);
      first = std::min(first, tail.run_begin);
    }
    // An empty log's cursor does not say when the log began.
    first = std::min(first, std::max(mine.cursor.sequence, log.begin_sequence()));
  }
  return first;
}

Reader::Next Reader::read(ReadContext& context, std::vector<Outgoing>& out) {
  if (follows_many()) return read_many(context, out);
  if (!ahead_.empty()) {
    take_ahead(out);
    std::sort(out.begin(), out.end(), is_sent_before);
    return Next::kEntries;
  }
  if (subscriptions_[0].has_ended) return Next::kNothing;
  const Sequence position = subscriptions_[0].feed->position.sequence;
  return read_one(context, 0, replay_ ? replay_->until : position, kBatchBytes, out);
}

// Reads one channel's log up to `horizon`, or jumps over entries that this reader can't have any more.
Reader::Next Reader::read_one(ReadContext& context, std::uint32_t subscription, Sequence horizon,
                              std::size_t bytes_max, std::vector<Outgoing>& out) {
  Subscription& mine = subscriptions_[subscription];
  if (is_over_queue(subscription)) {
    const Next next = jump(context, subscription, horizon);
    if (next != Next::kNothing) return next;
  }
  auto& entries = context.entries;
  entries.clear();
  const auto result = mine.feed->channel->log.read(mine.cursor, horizon, bytes_max, entries);
  if (result.is_forgotten) {
    const Next next = jump(context, subscription, horizon);
    return next == Next::kTooSlow ? next : Next::kJumped;
  }
  mine.is_dirty = result.has_more;
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
  Sequence complete = replay_ ? replay_->until : context.horizon;
  for (const Subscription& mine : subscriptions_) {
    if (!mine.has_ended) complete = std::min(complete, last_ahead(mine));
  }
  const Sequence horizon = complete;
  const auto has_news = [&](const Subscription& mine) {
    return mine.is_dirty && !mine.has_ended && last_ahead(mine) == kNoneAhead;
  };
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
    const bool is_cut = next == Next::kEntries && subscriptions_[i].is_dirty;
    if (is_cut && out.back().entry.frame->kind() != FrameKind::kEnd) {
      complete = std::min(complete, out.back().entry.at.sequence);
    }
  }
  take_ahead(out);
  std::sort(out.begin(), out.end(), is_sent_before);
  while (!out.empty() && out.back().entry.at.sequence > complete) {
    take_back(std::move(out.back()));
    out.pop_back();
  }
  return out.empty() ? Next::kNothing : Next::kEntries;
}

void Reader::take_back(Outgoing outgoing) {
  Subscription& mine = subscriptions_[outgoing.subscription];
  if (outgoing.entry.at.sequence <= mine.cursor.sequence) {
    ahead_.push_back(std::move(outgoing));  // The cursor has passed it, so the log won't give it again.
  } else {
    mine.is_dirty = true;
  }
}

bool Reader::on_sent(const LogEntry& entry, std::uint32_t subscription) {
  Subscription& mine = subscriptions_[subscription];
  if (entry.at.sequence > mine.cursor.sequence) mine.cursor = entry.at;
  if (entry.frame->kind() != FrameKind::kEnd) return false;
  mine.has_ended = true;
  return has_ended();
}

bool Reader::has_ended() const {
  const auto has_ended = [](const Subscription& mine) { return mine.has_ended; };
  return std::all_of(subscriptions_.begin(), subscriptions_.end(), has_ended);
}

bool Reader::is_over_queue(std::uint32_t subscription) const {
  const Subscription& mine = subscriptions_[subscription];
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
  Cursor at = skip.conflated.empty() ? skip.to : skip.conflated.front().at;
  if (skip.end || !skip.conflated.empty()) --at.sequence;
  std::string gaps;
  if (skip.missed != 0U) append_gap(context, gaps, subscription, skip.missed, reason);
  for (const SharedGap& gap : skip.gaps) {
    if (gap.last.sequence <= at.sequence) append_gap(context, gaps, subscription, gap.missed, gap.reason);
  }
  if (!gaps.empty()) tell_ahead(context, subscription, std::move(gaps), at, position_of(context, at));
  for (const SharedGap& gap : skip.gaps) {
    if (gap.last.sequence <= at.sequence) continue;
    std::string later;
    append_gap(context, later, subscription, gap.missed, gap.reason);
    tell_ahead(context, subscription, std::move(later), gap.last, position_of(context, gap.last));
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
  tell_ahead(context, subscription, std::move(gaps), from, {});
  if (skip.conflated.empty() && !skip.end)
    tell_ahead(context, subscription, {}, skip.to, position_of(context, skip.to));
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
                        const std::string& id) {
  ahead_.push_back({{Frame::of_jump(std::move(gaps), id, context.frames), at, {}}, subscription});
}

void Reader::take_ahead(std::vector<Outgoing>& out) {
  out.insert(out.end(), std::make_move_iterator(ahead_.begin()), std::make_move_iterator(ahead_.end()));
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

Reader::Replayed Reader::end_replay() {
  const Replayed replayed{replay_->messages, replay_->until};
  replay_.reset();
  return replayed;
}

}  // namespace weir
