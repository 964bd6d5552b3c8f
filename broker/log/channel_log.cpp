#include "broker/log/channel_log.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace weir {

namespace {

// Forgotten gaps and ends that are remembered one by one; past it the two oldest gaps become one of unknown
// count.
constexpr std::size_t kMarksMax = 64;
// Policy "latest": types of which the newest forgotten message is kept.
constexpr std::size_t kTypesMax = 64;

Mark mark_of(const LogEntry& entry) {
  if (entry.frame->kind() == FrameKind::kEnd)
    return {entry.at, entry.frame, GapReason::kBusDown, std::nullopt};
  return {entry.at, nullptr, entry.frame->gap_reason(), entry.frame->gap_missed()};
}

// `skip` goes up to `to` only: what lies behind is told later.
void land_at(const Cursor& to, Skip& skip) {
  skip.to = to;
  skip.end.reset();
  std::erase_if(skip.gaps, [&](const Mark& gap) { return gap.at.sequence > to.sequence; });
}

// Makes room in `marks` (at kMarksMax) by joining the oldest two of one kind. Who stood between two joined
// gaps is told of a gap of unknown size, which is true; of two ends the newer one is kept.
void join_oldest(std::vector<Mark>& marks) {
  for (std::size_t i = 1; i < marks.size(); ++i) {
    if ((marks[i].frame == nullptr) != (marks[i - 1].frame == nullptr)) continue;
    marks[i].missed.reset();
    marks.erase(marks.begin() + static_cast<std::ptrdiff_t>(i) - 1);
    return;
  }
  marks.erase(marks.begin());
}

}  // namespace

ChannelLog::ChannelLog(Limits limits) : limits_(limits) {}

void ChannelLog::begin(Sequence sequence) {
  const MutexLock lock(mutex_);
  if (begin_ == 0) begin_ = sequence;
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
  if (frame->kind() != FrameKind::kGap) {
    ++at.ordinal;
    last_sequence_ = sequence;
  }
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
  collect_marks(from, target, skip);
  const std::uint64_t landing = skip.to.ordinal - (skip.end ? 1 : 0);
  skip.missed = landing > from.ordinal ? landing - from.ordinal : 0;
  return skip;
}

Skip ChannelLog::conflate(const Cursor& from, Sequence horizon, std::size_t bytes_max) const {
  const MutexLock lock(mutex_);
  Skip skip;
  const std::size_t end = index_of_end(from, horizon);
  collect_marks(from, end, skip);
  const auto keep = [&](const LogEntry& entry) {
    if (entry.frame->kind() != FrameKind::kMessage) return;
    if (entry.at.sequence <= from.sequence || entry.at.sequence > skip.to.sequence) return;
    const auto same_type = [&](const LogEntry& other) { return other.frame->type() == entry.frame->type(); };
    std::erase_if(skip.conflated, same_type);
    skip.conflated.push_back(entry);
    if (skip.conflated.size() > kTypesMax) skip.conflated.erase(skip.conflated.begin());
  };
  for (const LogEntry& entry : latest_) keep(entry);
  for (std::size_t i = index_after(from.sequence); i < end; ++i) keep(entries_[i]);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < skip.conflated.size(); ++i) {
    bytes += skip.conflated[i].frame->bytes();
    if (i > 0 && bytes > bytes_max) {
      skip.conflated.resize(i);
      land_at(skip.conflated.back().at, skip);
      break;
    }
  }
  return skip;
}

bool ChannelLog::was_evicted(const Cursor& from) const {
  const MutexLock lock(mutex_);
  return from.sequence < evicted_;
}

Cursor ChannelLog::at(Sequence sequence) const {
  const MutexLock lock(mutex_);
  return before(index_after(sequence));
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
  collect_marks(from, history_index(limits_.history_messages, until), skip);
  return skip;
}

Cursor ChannelLog::back(std::size_t messages, Sequence until) const {
  const MutexLock lock(mutex_);
  return before(history_index(std::min(messages, limits_.history_messages), until));
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
  return latest_.empty() ? entries_.front().at.sequence : latest_.front().at.sequence;
}

void ChannelLog::evict_front() {
  const MutexLock lock(mutex_);
  if (holds_none()) return;
  const bool is_latest = !latest_.empty();  // Those are older than every entry.
  evicted_ = std::max(evicted_, (is_latest ? latest_.front() : entries_.front()).at.sequence);
  if (is_latest) {
    latest_.erase(latest_.begin());
  } else {
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
    if (entries_[i - 1].frame->kind() != FrameKind::kGap) counts.last_message = entries_[i - 1].frame;
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
    // The newest entry always may: a single message larger than all limits still reaches the live readers.
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
  if (entry.frame->kind() != FrameKind::kMessage) {
    if (marks_.size() == kMarksMax) join_oldest(marks_);
    marks_.push_back(mark_of(entry));
  } else if (may_keep_latest) {
    remember_latest(std::move(entry));
  }
  entries_.pop_front();
}

void ChannelLog::remember_latest(LogEntry entry) {
  std::erase_if(latest_, [&](const LogEntry& other) { return other.frame->type() == entry.frame->type(); });
  latest_.push_back(std::move(entry));
  if (latest_.size() > kTypesMax) latest_.erase(latest_.begin());
}

std::size_t ChannelLog::index_after(Sequence sequence) const {
  if (entries_.empty() || end_.sequence <= sequence) return entries_.size();
  // Nearly every reader stands near the end: looked for from there in doubling steps, each of which may be
  // memory that nothing else has touched. All from `high` on lie after `sequence`.
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

std::size_t ChannelLog::index_of_end(const Cursor& from, Sequence horizon) const {
  std::size_t index = index_after(from.sequence);
  while (index < entries_.size() && entries_[index].at.sequence <= horizon) {
    if (entries_[index++].frame->kind() == FrameKind::kEnd) break;
  }
  return index;
}

void ChannelLog::collect_marks(const Cursor& from, std::size_t index, Skip& skip) const {
  const auto take = [&](const Mark& mark) {
    if (mark.at.sequence <= from.sequence) return true;
    if (mark.frame) {
      skip.end = mark.frame;
      skip.to = mark.at;
      return false;
    }
    skip.gaps.push_back(mark);
    return true;
  };
  for (const Mark& mark : marks_) {
    if (!take(mark)) return;
  }
  for (std::size_t i = index_after(from.sequence); i < index; ++i) {
    if (entries_[i].frame->kind() != FrameKind::kMessage && !take(mark_of(entries_[i]))) return;
  }
  skip.to = before(index);
  if (skip.to.sequence < from.sequence) skip.to = from;
}

}  // namespace weir
