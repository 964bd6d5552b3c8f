// What a client is sent next, from the logs of its channels.
#include <algorithm>
#include <cstdint>
#include <iterator>
#include <limits>
#include <utility>

#include "broker/fanout/client.h"
#include "broker/fanout/shard.h"

namespace weir {

namespace {

constexpr Sequence kNoneAhead = std::numeric_limits<Sequence>::max();

// What a client jumped over comes behind the entry whose sequence its id names: that one may be another
// channel's.
bool is_sent_before(const Outgoing& a, const Outgoing& b) {
  if (a.entry.at.sequence != b.entry.at.sequence) return a.entry.at.sequence < b.entry.at.sequence;
  return a.entry.frame->kind() != FrameKind::kJump && b.entry.frame->kind() == FrameKind::kJump;
}

}  // namespace

Client::Next Client::read_next(std::vector<Outgoing>& out) {
  Next outcome = Next::kNothing;
  // With a new token it resumes behind the last that it got: what is left in the logs is not lost.
  if (has_expired()) return outcome;
  if (follows_many()) {
    outcome = read_many(out);
  } else if (!ahead_.empty()) {
    take_ahead(out);
    std::sort(out.begin(), out.end(), is_sent_before);
    outcome = Next::kEntries;
  } else if (!subscriptions_[0].has_ended) {
    const Sequence position = subscriptions_[0].feed->position.sequence;
    outcome = read_one(0, replay_ ? replay_->until : position, kBatchBytes, out);
  }
  const bool has_ended =
      state_ == State::kEnded || (state_ == State::kClosing && close_reason_ == CloseReason::kEnd);
  if (outcome == Next::kNothing && replay_ && !has_ended) {
    end_replay();
    return Next::kPrivate;
  }
  return state_ == State::kEnded ? Next::kNothing : outcome;
}

// Reads one channel's log up to `horizon`, or jumps over what this client can't have any more.
Client::Next Client::read_one(std::uint32_t subscription, Sequence horizon, std::size_t bytes_max,
                              std::vector<Outgoing>& out) {
  Subscription& mine = subscriptions_[subscription];
  if (is_over_queue(subscription) && jump(subscription, horizon)) return Next::kPrivate;
  auto& entries = shard_.scratch_entries();
  entries.clear();
  auto result = mine.feed->channel->log.read(mine.cursor, horizon, bytes_max, entries);
  if (result.is_forgotten) {
    jump(subscription, horizon);
    return Next::kPrivate;
  }
  mine.is_dirty = result.has_more;
  for (LogEntry& entry : entries) out.push_back({std::move(entry), subscription});
  return entries.empty() ? Next::kNothing : Next::kEntries;
}

// The last entry of `subscription` that is ahead of its log; kNoneAhead if there is none.
Sequence Client::last_ahead(const Subscription& subscription) const {
  Sequence last = 0;
  for (const Outgoing& item : ahead_) {
    if (&subscriptions_[item.subscription] == &subscription) last = std::max(last, item.entry.at.sequence);
  }
  return last == 0 ? kNoneAhead : last;
}

// Merges the channels with news by sequence, never past the horizon: a cut in the middle must not leave an id
// that hides an earlier message of another channel.
Client::Next Client::read_many(std::vector<Outgoing>& out) {
  // Where a channel was not read to the horizon, nothing after its last entry may be sent yet: neither where
  // the log goes on, nor where entries are ahead of the log.
  Sequence complete = replay_ ? replay_->until : shard_.horizon();
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
    const Next outcome = read_one(i, horizon, kBatchBytes / dirty, out);
    if (outcome == Next::kPrivate || state_ == State::kEnded) {
      out.clear();
      // What was read of other channels is read again.
      for (Subscription& mine : subscriptions_) mine.is_dirty = true;
      return Next::kPrivate;
    }
    const bool is_cut = outcome == Next::kEntries && subscriptions_[i].is_dirty;
    if (is_cut && out.back().entry.frame->kind() != FrameKind::kEnd) {
      complete = std::min(complete, out.back().entry.at.sequence);
    }
  }
  take_ahead(out);
  std::sort(out.begin(), out.end(), is_sent_before);
  while (!out.empty() && out.back().entry.at.sequence > complete) {
    Subscription& mine = subscriptions_[out.back().subscription];
    if (out.back().entry.at.sequence <= mine.cursor.sequence) {
      ahead_.push_back(std::move(out.back()));  // The cursor has passed it: no log gives it again.
    } else {
      mine.is_dirty = true;
    }
    out.pop_back();
  }
  return out.empty() ? Next::kNothing : Next::kEntries;
}

// Its lag passes its queue's limits. History that it asked for is not lag.
bool Client::is_over_queue(std::uint32_t subscription) const {
  const Subscription& mine = subscriptions_[subscription];
  const Cursor& end = mine.feed->position;
  Cursor from = mine.cursor;
  if (replay_ && from.sequence < replay_->live_from[subscription].sequence)
    from = replay_->live_from[subscription];
  return end.sequence > from.sequence && !mine.feed->channel->log.is_within_queue(from, end);
}

bool Client::needs_news(std::uint32_t subscription) const {
  return (state_ == State::kStreaming || state_ == State::kClosing) &&
         !subscriptions_[subscription].has_ended;
}

bool Client::needs_log(std::uint32_t subscription) const {
  return needs_news(subscription) && !is_over_queue(subscription);
}

void Client::check_queue(std::uint32_t subscription) {
  const bool is_disconnect =
      subscriptions_[subscription].feed->channel->policy == SlowClientPolicy::kDisconnect;
  if (is_disconnect && needs_news(subscription) && is_over_queue(subscription))
    end(CloseReason::kSlowClient, true);
}

bool Client::jump(std::uint32_t subscription, Sequence horizon) {
  Subscription& mine = subscriptions_[subscription];
  const Channel& channel = *mine.feed->channel;
  const GapReason reason = reason_of_jump(subscription);
  if (channel.policy == SlowClientPolicy::kDisconnect && reason == GapReason::kSlowClient) {
    end(CloseReason::kSlowClient, true);
    return true;
  }
  const bool conflates = channel.policy == SlowClientPolicy::kLatest && reason == GapReason::kSlowClient;
  Skip skip = conflates ? channel.log.conflate(mine.cursor, horizon, kBatchBytes)
                        : channel.log.skip(mine.cursor, true, horizon);
  if (skip.to.sequence <= mine.cursor.sequence) return false;
  const Cursor from = std::exchange(mine.cursor, skip.to);
  mine.is_dirty = true;
  tell_skip(subscription, from, skip, reason);
  for (LogEntry& entry : skip.conflated) ahead_.push_back({std::move(entry), subscription});
  if (skip.end) land_at_end(subscription, std::move(skip));
  return true;
}

// Tells what `skip` jumps over from `from`.
void Client::tell_skip(std::uint32_t subscription, const Cursor& from, const Skip& skip, GapReason reason) {
  if (follows_many()) return tell_skip_of_many(subscription, from, skip, reason);
  // Each gap stands where its position hides nothing that is still to come: neither a conflated message nor
  // the end.
  Cursor at = skip.conflated.empty() ? skip.to : skip.conflated.front().at;
  if (skip.end || !skip.conflated.empty()) --at.sequence;
  std::string gaps;
  if (skip.missed != 0U) append_gap(gaps, subscription, skip.missed, reason);
  for (const SharedGap& gap : skip.gaps) {
    if (gap.last.sequence <= at.sequence) append_gap(gaps, subscription, gap.missed, gap.reason);
  }
  if (!gaps.empty()) tell_ahead(subscription, std::move(gaps), at, position_of(at));
  for (const SharedGap& gap : skip.gaps) {
    if (gap.last.sequence <= at.sequence) continue;
    std::string later;
    append_gap(later, subscription, gap.missed, gap.reason);
    tell_ahead(subscription, std::move(later), gap.last, position_of(gap.last));
  }
}

// Messages of other channels lie among those that are jumped over, and their ids move the client's position
// past some of them: the gap comes first, and its position once those are sent. A client that is cut in
// between is told again.
void Client::tell_skip_of_many(std::uint32_t subscription, const Cursor& from, const Skip& skip,
                               GapReason reason) {
  std::string gaps;
  if (skip.missed != 0U) append_gap(gaps, subscription, skip.missed, reason);
  for (const SharedGap& gap : skip.gaps) append_gap(gaps, subscription, gap.missed, gap.reason);
  if (gaps.empty()) return;
  tell_ahead(subscription, std::move(gaps), from, {});
  if (skip.conflated.empty() && !skip.end) tell_ahead(subscription, {}, skip.to, position_of(skip.to));
}

std::string Client::position_of(const Cursor& at) const {
  return format_event_id(shard_.options().epoch, at.sequence);
}

void Client::append_gap(std::string& gaps, std::uint32_t subscription, std::optional<std::uint64_t> missed,
                        GapReason reason) {
  gaps.append(encode_gap(channel_name(subscription), missed, reason));
  shard_.stats().gaps[static_cast<std::size_t>(reason)].add();
  ++gaps_;
}

// Puts `gaps`, and the position `id` behind them, among what is to be sent, at `at`.
void Client::tell_ahead(std::uint32_t subscription, std::string gaps, const Cursor& at,
                        const std::string& id) {
  FramePtr frame = Frame::of_jump(std::move(gaps), id, shard_.options().held->frames());
  ahead_.push_back({{std::move(frame), at, {}}, subscription});
}

void Client::take_ahead(std::vector<Outgoing>& out) {
  out.insert(out.end(), std::make_move_iterator(ahead_.begin()), std::make_move_iterator(ahead_.end()));
  std::vector<Outgoing>().swap(ahead_);  // A client that is not stuck keeps no memory of its own.
}

// What comes after an end is not for this stream.
void Client::land_at_end(std::uint32_t subscription, Skip skip) {
  subscriptions_[subscription].has_ended = true;
  ahead_.push_back({{std::move(skip.end), skip.to, {}}, subscription});
}

GapReason Client::reason_of_jump(std::uint32_t subscription) const {
  const Subscription& mine = subscriptions_[subscription];
  if (mine.feed->channel->log.was_evicted(mine.cursor)) return GapReason::kMemory;
  if (replay_ && mine.cursor.sequence < replay_->live_from[subscription].sequence) return GapReason::kHistory;
  return GapReason::kSlowClient;
}

void Client::end_replay() {
  // Behind the event an id-only block: who is cut before the next message has been told of the gaps up to
  // here. On several channels everything up to `until` was sent, so that it is a position for all of them.
  append_private(encode_live(replay_->replayed) +
                 "id: " + format_event_id(shard_.options().epoch, replay_->until) + "\n\n");
  replay_.reset();
}

}  // namespace weir
