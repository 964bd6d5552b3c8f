// How a stream begins: where its cursors stand, and its first bytes.
#include <algorithm>
#include <string>
#include <utility>

#include "broker/fanout/client.h"
#include "broker/fanout/expiry.h"
#include "broker/fanout/shard.h"

namespace weir {

void Client::join() {
  shard_.stats().clients.add();
  shard_.stats().opened.add();
  subscriptions_.reserve(start_->channels.size());
  for (ChannelPtr& channel : start_->channels) {
    Subscription mine;
    mine.feed = shard_.follow(channel);
    mine.index_in_feed = static_cast<std::uint32_t>(mine.feed->followers.size());
    mine.feed->followers.push_back({this, static_cast<std::uint32_t>(subscriptions_.size())});
    ++mine.feed->waiting;
    if (start_->channels.size() > 1) ++mine.feed->merging;
    subscriptions_.push_back(std::move(mine));
  }
  start_->channels.clear();
  deadline_ = shard_.tick() + Shard::ticks(shard_.options().live_wait);
  if (shard_.options().max_stream.count() > 0) {
    // Up to 20 % earlier, so that those who came together do not come back together.
    const auto most = Shard::ticks(shard_.options().max_stream);
    const Tick at = shard_.tick() + std::max<Tick>(1, most - most / 5 * (jitter_ >> 16) / 0xffff);
    close_at(at, CloseReason::kMaxStream, at + Shard::ticks(shard_.options().stuck));
  }
  if (start_->request.expires_at) {
    const Expiry expiry = expiry_of(*start_->request.expires_at, std::chrono::system_clock::now(),
                                    shard_.tick(), shard_.options().expiry_notice);
    expiring_at_ = expiry.notice_at;
    expires_at_ = expiry.unix_seconds;
    if (expiry.at != kNever) {
      close_at(expiry.at, CloseReason::kTokenExpired,
               expiry.at + Shard::ticks(shard_.options().expiry_grace));
    }
  }
  if (StreamObserver* const observer = shard_.options().observer) observer->on_start(*this);
  schedule();
  wait_readable();
  on_channel_state();
}

void Client::on_channel_state() {
  const auto is_refused = [](const Subscription& mine) { return mine.feed->channel->is_refused.load(); };
  const auto is_live = [](const Subscription& mine) { return mine.feed->channel->is_live.load(); };
  if (std::any_of(subscriptions_.begin(), subscriptions_.end(), is_refused)) {
    if (state_ == State::kWaiting) return refuse();
    // In the middle of a turn: not every feed with news has been served.
    for (Subscription& mine : subscriptions_) mine.is_dirty = true;
    begin_close(CloseReason::kRefused, shard_.tick() + Shard::ticks(shard_.options().stuck));
    pump();
  } else if (state_ == State::kWaiting &&
             std::all_of(subscriptions_.begin(), subscriptions_.end(), is_live)) {
    begin_stream();
  }
}

void Client::begin_stream() {
  const auto start = std::move(start_);
  state_ = State::kStreaming;
  // Whatever is appended after this position reaches the feeds that were joined before.
  const Sequence now = shard_.appended();
  Sequence first = now;
  for (Subscription& mine : subscriptions_) {
    --mine.feed->waiting;
    mine.cursor = mine.feed->channel->log.at(now);
    // Later than `now` is what was forgotten as soon as it came, and is not announced yet.
    first = std::max(first, mine.cursor.sequence);
    mine.is_dirty = true;
  }
  std::string gaps;
  if (start->request.last_event_id || start->request.replay > 0) {
    replay_ = std::make_unique<Replay>();
    replay_->until = now;
    for (const Subscription& mine : subscriptions_) replay_->live_from.push_back(mine.cursor);
    bool is_known = true;
    first = start->request.last_event_id ? resume(*start->request.last_event_id, gaps, is_known)
                                         : replay_last(start->request.replay);
    // An id that no log knows: who is cut before it has read the gap must be told again.
    if (!is_known) first = 0;
    for (const Subscription& mine : subscriptions_) shard_.lower_floor(mine.feed, mine.cursor);
  }
  const auto retry = jittered(shard_.options().retry, jitter_);
  private_ = std::move(start->request.head);
  append_private(first_comment() + start->request.comments + "retry: " + std::to_string(retry.count()) +
                 "\nid: " + format_event_id(shard_.options().epoch, first) + "\n\n");
  if (!shard_.is_bus_up()) {
    shard_.note_bus_down();
    tell_bus_state();
  }
  if (!gaps.empty()) append_private(gaps);
  tell_expiring();
  if (shard_.tick() >= close_at_) begin_close(close_reason_, close_deadline_);
  schedule();
  pump();
}

// By `heartbeat` a client knows after how many seconds of silence the connection is dead.
std::string Client::first_comment() const {
  const auto heartbeat = std::chrono::ceil<std::chrono::seconds>(shard_.options().heartbeat);
  return ": weir heartbeat=" + std::to_string(heartbeat.count()) + "\n";
}

// Puts the cursors where `last_event_id` says. Returns the position that the stream begins with.
Sequence Client::resume(const std::string& last_event_id, std::string& gaps, bool& is_known) {
  const auto id = parse_event_id(last_event_id);
  is_known = id && id->epoch == shard_.options().epoch && id->sequence <= replay_->until;
  for (std::uint32_t i = 0; i < subscriptions_.size(); ++i) {
    if (is_known) {
      resume_one(i, id->sequence);
    } else {
      append_gap(gaps, i, std::nullopt, GapReason::kHistory);
    }
  }
  return is_known ? id->sequence : 0;
}

void Client::resume_one(std::uint32_t subscription, Sequence sequence) {
  Subscription& mine = subscriptions_[subscription];
  ChannelLog& log = mine.feed->channel->log;
  log.forget_old(std::chrono::steady_clock::now());  // Housekeeping comes by now and then only.
  const auto position = log.find_in_history(sequence, replay_->until);
  if (position && !position->is_forgotten) {
    mine.cursor = position->cursor;
    return;
  }
  Skip skip;
  if (position) {
    skip = log.skip_to_history(position->cursor, replay_->until);
    skip.gaps = {};  // They are among what can't be counted.
  } else {
    // From before the channel was last subscribed: replaying might double.
    skip.to = mine.cursor;
    skip.to.sequence = std::max(skip.to.sequence, replay_->until);
  }
  skip.missed.reset();
  mine.cursor = skip.to;
  tell_skip(subscription, {sequence, 0, 0}, skip, GapReason::kHistory);
  if (skip.end) land_at_end(subscription, std::move(skip));
}

Sequence Client::replay_last(std::size_t messages) {
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
      tell_skip(i, {tail.run_begin, 0, 0}, skip, GapReason::kHistory);
      first = std::min(first, tail.run_begin);
    }
    // An empty log's cursor says nothing of when it began.
    first = std::min(first, std::max(mine.cursor.sequence, log.begin_sequence()));
  }
  return first;
}

// Nothing was sent yet, so that the request can still be answered.
void Client::refuse() {
  for (Subscription& mine : subscriptions_) --mine.feed->waiting;
  private_ = std::move(start_->request.forbidden);
  start_.reset();
  state_ = State::kClosing;
  close_reason_ = CloseReason::kRefused;
  deadline_ = shard_.tick() + Shard::ticks(shard_.options().stuck);
  is_last_written_ = true;
  schedule();
  pump();
}

}  // namespace weir
