#include "broker/log/channel_log.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>

namespace weir {

namespace {

// How many ends are remembered. Past it the second oldest goes: clients stuck for longest still land on the
// first end after their cursor, and the newest ends tell where the present run begins.
constexpr std::size_t kEndsMax = 64;
// Policy "latest": how many types keep their newest forgotten message.
constexpr std::size_t kTypesMax = 64;

SharedGap gap_of(const LogEntry& entry) {
  return {entry.at, entry.at, entry.frame->gap_reason(), entry.frame->gap_missed(), false};
}

}  // namespace

ChannelLog::ChannelLog(Limits limits) : limits_(limits) {}

// Clients may still be sending some of the frames.
ChannelLog::~ChannelLog() {
  for (std::size_t i = 0; i < entries_.size(); ++i) entries_[i].frame->leave_log();
  for (const LogEntry& entry : latest_) entry.frame->leave_log();
  for (const End& end : ends_) {
    if (end.frame) end.frame->leave_log();
  }
}

void ChannelLog::begin(Sequence sequence, const StreamId& stream_id) {
  const MutexLock lock(mutex_);
  if (begin_ != 0) return;
  begin_ = sequence;
  begin_id_ = base_id_ = end_id_ = stream_id;
}

Sequence ChannelLog::begin_sequence() const {
  const MutexLock lock(mutex_);
  return begin_;
}

bool ChannelLog::append(FramePtr frame, Sequence sequence, SteadyTime now) {
  const MutexLock lock(mutex_);
  const bool held_none = holds_none();
  Cursor at = end_;
  assert(sequence > at.sequence);
  at.sequence = sequence;
  at.bytes += frame->bytes();
  const bool is_message = frame->kind() == FrameKind::kMessage || frame->kind() == FrameKind::kEnd;
  if (is_message) {
    ++at.ordinal;
    last_sequence_ = sequence;
  }
  end_id_ = frame->stream_id();
  if (frame->kind() == FrameKind::kEnd) {
    remember_end(at);
    last_end_id_ = end_id_;
  }
  frame->enter_log();
  entries_.push_back({std::move(frame), at, now});
  end_ = at;
  trim(now);
  return held_none && !holds_none();
}

Cursor ChannelLog::end() const {
  const MutexLock lock(mutex_);
  return end_;
}

ChannelLog::ReadResult ChannelLog::read(const Cursor& from, Sequence horizon, std::size_t bytes_max,
                                        std::vector<LogEntry>& entries) const {
  const MutexLock lock(mutex_);
  ReadResult result;
  if (from.sequence < base_.sequence) {
    result.is_forgotten = true;
    return result;
  }
  std::size_t index = index_after(from.sequence);
  std::size_t bytes = 0;
  for (; index < entries_.size(); ++index) {
    const LogEntry& entry = entries_[index];
    if (entry.at.sequence > horizon) break;
    if (bytes > 0 && bytes + entry.frame->bytes() > bytes_max) break;
    bytes += entry.frame->bytes();
    entries.push_back(entry);
    if (entry.frame->kind() == FrameKind::kEnd) {
      ++index;
      break;
    }
  }
  result.has_more = index < entries_.size();
  return result;
}

StreamId ChannelLog::end_id() const {
  const MutexLock lock(mutex_);
  return end_id_;
}

StreamId ChannelLog::last_end_id() const {
  const MutexLock lock(mutex_);
  return last_end_id_;
}

StreamId ChannelLog::begin_id() const {
  const MutexLock lock(mutex_);
  return begin_id_;
}

void ChannelLog::begin_anew(const StreamId& id) {
  const MutexLock lock(mutex_);
  anew_ = end_.sequence + 1;
  begin_id_ = id;
  last_end_id_ = {};
}

ChannelLog::Joint ChannelLog::join(const StreamId& id) const {
  const MutexLock lock(mutex_);
  if (begin_ == 0) return {};
  if (id > end_id_) return {Joint::Place::kBeyond, {}, {}};
  // The ids grow from here on. The entry at `anew_` is the gap with which they began anew.
  std::size_t low = anew_ <= base_.sequence ? 0 : std::min(index_after(anew_ - 1) + 1, entries_.size());
  const StreamId base = id_before(low);
  std::size_t high = entries_.size();
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (entries_[middle].frame->stream_id() <= id) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  // What is missing between an entry and `id` was never in this stream, unless nothing is there that is as old.
  const StreamId& previous = id_before(low);
  const bool is_in_gap = low < entries_.size() && entries_[low].frame->kind() == FrameKind::kGap;
  if (id < base || (previous != id && (previous == kStreamBegin || is_in_gap)))
    return {Joint::Place::kBefore, {}, base};
  Cursor cursor = before(low);
  cursor.sequence = std::max(cursor.sequence, begin_);  // An empty log's cursor does not say when it began.
  return {Joint::Place::kHere, cursor, base};
}

std::optional<SteadyTime> ChannelLog::arrival_after(const Cursor& from) const {
  const MutexLock lock(mutex_);
  const std::size_t index = index_after(from.sequence);
  return index < entries_.size() ? std::optional(entries_[index].arrived) : std::nullopt;
}

Skip ChannelLog::skip(const Cursor& from, bool fits_queue, Sequence horizon) const {
  const MutexLock lock(mutex_);
  std::size_t target = index_after(from.sequence);
  const std::size_t end = index_of_end(from, horizon);
  if (fits_queue && target + 1 < end) {
    const Cursor last = entries_[end - 1].at;
    std::size_t high = end - 1;  // From the last entry on it always fits.
    while (target < high) {
      const std::size_t middle = target + (high - target) / 2;
      if (is_within_queue(before(middle), last)) {
        high = middle;
      } else {
        target = middle + 1;
      }
    }
  }
  Skip skip;
  collect_gaps(from, target, skip);
  const std::uint64_t landing = skip.to.ordinal - (skip.end ? 1 : 0);
  skip.missed = landing > from.ordinal ? landing - from.ordinal : 0;
  return skip;
}

Skip ChannelLog::conflate(const Cursor& from, Sequence horizon, std::size_t bytes_max) const {
  const MutexLock lock(mutex_);
  const std::size_t end = index_of_end(from, horizon);
  Skip all;
  collect_gaps(from, end, all);
  Skip skip;
  GapList dropped;
  dropped_.collect(from, all.to, dropped);
  const auto keep = [&](const LogEntry& entry) {
    if (entry.frame->kind() != FrameKind::kMessage) return;
    if (entry.at.sequence <= from.sequence || entry.at.sequence > all.to.sequence) return;
    const auto same_type = [&](const LogEntry& other) { return other.frame->type() == entry.frame->type(); };
    std::erase_if(skip.conflated, same_type);
    skip.conflated.push_back(entry);
    if (skip.conflated.size() <= kTypesMax) return;
    dropped.add_dropped(skip.conflated.front().at, GapReason::kSlowClient);
    skip.conflated.erase(skip.conflated.begin());
  };
  for (const LogEntry& entry : latest_) keep(entry);
  for (std::size_t i = index_after(from.sequence); i < end; ++i) keep(entries_[i]);
  // Each dropped message is older than all that are kept.
  skip.missed = dropped.missed();
  skip.to = all.to;
  skip.to_id = all.to_id;
  std::size_t bytes = 0;
  std::size_t kept = 0;
  while (kept < skip.conflated.size()) {
    bytes += skip.conflated[kept].frame->bytes();
    if (kept > 0 && bytes > bytes_max) break;
    ++kept;
  }
  if (kept < skip.conflated.size()) {
    // Go only as far as the last kept one; later ones come with the next jump.
    skip.conflated.resize(kept);
    skip.to = skip.conflated.back().at;
    skip.to_id = skip.conflated.back().frame->stream_id();
  } else {
    skip.end = std::move(all.end);
  }
  all.gaps.collect(from, skip.to, skip.gaps);
  return skip;
}

bool ChannelLog::was_evicted(const Cursor& from) const {
  const MutexLock lock(mutex_);
  return from.sequence < evicted_;
}

Cursor ChannelLog::at(Sequence sequence) const { return place_at(sequence).cursor; }

ChannelLog::Place ChannelLog::place_at(Sequence sequence) const {
  const MutexLock lock(mutex_);
  const std::size_t index = index_after(sequence);
  return {before(index), begin_ == 0 ? std::nullopt : std::optional(id_before(index))};
}

std::optional<ChannelLog::Position> ChannelLog::find_in_history(Sequence sequence, Sequence until) const {
  const MutexLock lock(mutex_);
  if (begin_ == 0 || sequence < begin_) return std::nullopt;
  const std::size_t index = index_after(sequence);
  if (sequence < base_.sequence || index < history_index(limits_.history_messages, until)) {
    return Position{{sequence, 0, 0}, true};
  }
  return Position{before(index), false};
}

Skip ChannelLog::skip_to_history(const Cursor& from, Sequence until) const {
  const MutexLock lock(mutex_);
  Skip skip;
  collect_gaps(from, history_index(limits_.history_messages, until), skip);
  return skip;
}

ChannelLog::Tail ChannelLog::tail(std::size_t messages, Sequence until) const {
  const MutexLock lock(mutex_);
  const Cursor last = before(index_after(until));
  const Cursor begin = run_begin(last);
  const std::uint64_t asked = std::min<std::uint64_t>(messages, last.ordinal - begin.ordinal);
  const auto given = static_cast<std::size_t>(std::min<std::uint64_t>(asked, limits_.history_messages));
  const std::size_t index = history_index(given, until);
  Tail tail;
  tail.from = before(index);
  tail.missed = asked - (last.ordinal - tail.from.ordinal);
  tail.run_begin = std::max(begin.sequence, begin_);
  if (tail.missed == 0) return tail;
  Skip skip;
  collect_gaps(begin, index, skip);
  const std::uint64_t before_asked = last.ordinal - asked;
  for (const SharedGap& gap : skip.gaps) {
    if (gap.last.ordinal > before_asked) tail.gaps.add(gap);
  }
  return tail;
}

Cursor ChannelLog::run_begin(const Cursor& last) const {
  for (std::size_t i = ends_.size(); i > 0; --i) {
    const Cursor& end = ends_[i - 1].at;
    if (end.ordinal < last.ordinal) return end;
  }
  return {};
}

std::size_t ChannelLog::history_index(std::size_t messages, Sequence until) const {
  std::size_t low = 0;
  std::size_t high = index_after(until);
  const Cursor last = before(high);
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    const Cursor start = before(middle);
    const bool is_history = last.ordinal - start.ordinal <= messages &&
                            last.bytes - start.bytes <= limits_.history_bytes &&
                            now_ - entries_[middle].arrived <= limits_.history_age;
    if (is_history) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

void ChannelLog::set_floor(const void* reader, const Cursor& floor) {
  const MutexLock lock(mutex_);
  const auto found =
      std::find_if(floors_.begin(), floors_.end(), [&](const Floor& f) { return f.reader == reader; });
  if (found == floors_.end()) {
    floors_.push_back({reader, floor});
  } else {
    found->at = floor;
  }
  trim(now_);
}

void ChannelLog::remove_floor(const void* reader) {
  const MutexLock lock(mutex_);
  std::erase_if(floors_, [&](const Floor& floor) { return floor.reader == reader; });
  trim(now_);
}

void ChannelLog::forget_old(SteadyTime now) {
  const MutexLock lock(mutex_);
  trim(now);
}

std::optional<Sequence> ChannelLog::front_sequence() const {
  const MutexLock lock(mutex_);
  if (holds_none()) return std::nullopt;
  Sequence front = std::numeric_limits<Sequence>::max();
  if (!entries_.empty()) front = entries_.front().at.sequence;
  if (!latest_.empty()) front = std::min(front, latest_.front().at.sequence);
  if (const std::size_t end = oldest_end(); end < ends_.size())
    front = std::min(front, ends_[end].at.sequence);
  return front;
}

void ChannelLog::evict_front() {
  const MutexLock lock(mutex_);
  const std::size_t end = oldest_end();
  const bool has_end =
      end < ends_.size() && (latest_.empty() || ends_[end].at.sequence < latest_.front().at.sequence);
  if (has_end) {
    evicted_ = std::max(evicted_, ends_[end].at.sequence);
    ends_[end].frame->leave_log();
    ends_[end].frame.reset();
    // These are older than every entry.
  } else if (!latest_.empty()) {
    evicted_ = std::max(evicted_, latest_.front().at.sequence);
    latest_.front().frame->leave_log();
    latest_.erase(latest_.begin());
  } else if (!entries_.empty()) {
    evicted_ = std::max(evicted_, entries_.front().at.sequence);
    forget_front(/*may_keep_latest=*/false);
  }
}

ChannelLog::Counts ChannelLog::counts() const {
  const MutexLock lock(mutex_);
  Counts counts;
  counts.messages = end_.ordinal - base_.ordinal;
  counts.bytes = end_.bytes - base_.bytes;
  counts.last_sequence = last_sequence_;
  for (std::size_t i = entries_.size(); i > 0 && !counts.last_message; --i) {
    const FrameKind kind = entries_[i - 1].frame->kind();
    if (kind == FrameKind::kMessage || kind == FrameKind::kEnd) counts.last_message = entries_[i - 1].frame;
  }
  return counts;
}

void ChannelLog::trim(SteadyTime now) {
  now_ = std::max(now_, now);
  while (!entries_.empty()) {
    const LogEntry& entry = entries_.front();
    const std::uint64_t messages = end_.ordinal - base_.ordinal;
    const std::uint64_t bytes = end_.bytes - base_.bytes;
    const bool is_history = messages <= limits_.history_messages && bytes <= limits_.history_bytes &&
                            now_ - entry.arrived <= limits_.history_age;
    if (is_history) return;
    const bool may_be_needed = messages <= limits_.history_messages + limits_.queue_messages &&
                               bytes <= limits_.history_bytes + limits_.queue_bytes;
    // The newest entry always may: a message larger than all limits still reaches the live readers.
    if ((may_be_needed || entries_.size() == 1) && is_needed(entry)) return;
    forget_front(limits_.keeps_latest);
  }
}

bool ChannelLog::is_needed(const LogEntry& entry) const {
  return std::any_of(floors_.begin(), floors_.end(),
                     [&](const Floor& floor) { return floor.at.sequence < entry.at.sequence; });
}

void ChannelLog::forget_front(bool may_keep_latest) {
  LogEntry& entry = entries_.front();
  base_ = entry.at;
  base_id_ = entry.frame->stream_id();
  switch (entry.frame->kind()) {
    case FrameKind::kGap:
      gaps_.add(gap_of(entry));
      entry.frame->leave_log();
      break;
    case FrameKind::kEnd: {
      const auto end = std::find_if(ends_.begin(), ends_.end(),
                                    [&](const End& one) { return one.at.sequence == entry.at.sequence; });
      if (end != ends_.end()) {
        end->frame = std::move(entry.frame);
      } else {
        entry.frame->leave_log();
      }
      break;
    }
    case FrameKind::kMessage:
      if (may_keep_latest) {
        remember_latest(std::move(entry));
      } else {
        entry.frame->leave_log();
      }
      break;
    case FrameKind::kPassing:
      entry.frame->leave_log();
      break;
    case FrameKind::kJump:
      assert(false);  // It belongs to one client, in no log.
      break;
  }
  entries_.pop_front();
}

void ChannelLog::remember_latest(LogEntry entry) {
  // A message of an earlier run stays: a reader that lands at that run's end gets nothing newer.
  const auto run = run_begin(entry.at).sequence;
  const auto same = std::find_if(latest_.begin(), latest_.end(), [&](const LogEntry& other) {
    return other.at.sequence > run && other.frame->type() == entry.frame->type();
  });
  if (same != latest_.end()) {
    same->frame->leave_log();
    latest_.erase(same);
  }
  latest_.push_back(std::move(entry));
  if (latest_.size() <= kTypesMax) return;
  dropped_.add_dropped(latest_.front().at, GapReason::kSlowClient);
  latest_.front().frame->leave_log();
  latest_.erase(latest_.begin());
}

void ChannelLog::remember_end(const Cursor& at) {
  if (ends_.size() == kEndsMax) {
    if (ends_[1].frame) ends_[1].frame->leave_log();
    ends_.erase(ends_.begin() + 1);
  }
  ends_.push_back({at, nullptr});
}

std::size_t ChannelLog::oldest_end() const {
  const auto end =
      std::find_if(ends_.begin(), ends_.end(), [](const End& one) { return one.frame != nullptr; });
  return static_cast<std::size_t>(end - ends_.begin());
}

std::size_t ChannelLog::index_after(Sequence sequence) const {
  if (entries_.empty() || end_.sequence <= sequence) return entries_.size();
  // Nearly every reader is near the end, so search from there in doubling steps: each step may touch cold
  // memory. All entries from `high` on are after `sequence`.
  std::size_t low = 0;
  std::size_t high = entries_.size() - 1;
  for (std::size_t step = 1; high >= step; step *= 2) {
    if (entries_[high - step].at.sequence <= sequence) {
      low = high - step + 1;
      break;
    }
    high -= step;
  }
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (entries_[middle].at.sequence <= sequence) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

Cursor ChannelLog::before(std::size_t index) const { return index == 0 ? base_ : entries_[index - 1].at; }

const StreamId& ChannelLog::id_before(std::size_t index) const {
  return index == 0 ? base_id_ : entries_[index - 1].frame->stream_id();
}

std::size_t ChannelLog::index_of_end(const Cursor& from, Sequence horizon) const {
  std::size_t index = index_after(from.sequence);
  while (index < entries_.size() && entries_[index].at.sequence <= horizon) {
    if (entries_[index++].frame->kind() == FrameKind::kEnd) break;
  }
  return index;
}

void ChannelLog::collect_gaps(const Cursor& from, std::size_t index, Skip& skip) const {
  const auto end = std::find_if(ends_.begin(), ends_.end(), [&](const End& one) {
    return one.frame != nullptr && one.at.sequence > from.sequence;
  });
  const bool lands_at_end = end != ends_.end();
  gaps_.collect(from, lands_at_end ? end->at : base_, skip.gaps);
  if (lands_at_end) {
    skip.end = end->frame;
    skip.to = end->at;
    skip.to_id = end->frame->stream_id();
    return;
  }
  for (std::size_t i = index_after(from.sequence); i < index; ++i) {
    const LogEntry& entry = entries_[i];
    if (entry.frame->kind() == FrameKind::kGap) skip.gaps.add(gap_of(entry));
    if (entry.frame->kind() != FrameKind::kEnd) continue;
    skip.end = entry.frame;
    skip.to = entry.at;
    skip.to_id = entry.frame->stream_id();
    return;
  }
  skip.to = before(index);
  skip.to_id = id_before(index);
  if (skip.to.sequence < from.sequence) skip.to = from;
}

}  // namespace weir
