#include "broker/fanout/slice.h"

#include <algorithm>

namespace weir {

void Slice::begin(const Cursor& before) {
  before_ = before_turn_ = before;
  first_of_turn_ = 0;
  entries_.clear();
  for (Batch& batch : batches_) {
    if (!batch.empty()) batch.clear();
  }
}

void Slice::go_on(const Cursor& before, std::size_t bytes_max) {
  const bool can_go_on = !empty() && last().at.sequence == before.sequence &&
                         last().frame->kind() != FrameKind::kEnd &&
                         last().at.bytes - before_.bytes <= bytes_max;
  if (!can_go_on) return begin(before);
  before_turn_ = before;
  first_of_turn_ = entries_.size();
}

ChannelLog::ReadResult Slice::read(const ChannelLog& log, Sequence horizon) {
  const Cursor from = end();
  const auto result = log.read(from, horizon, kBatchBytes - (from.bytes - before_turn_.bytes), entries_);
  // A large entry is sent without a copy, so it must stand alone.
  const bool has_large = entries_.size() > first_of_turn_ && first_of_turn_ > 0 &&
                         entries_[first_of_turn_].frame->bytes() >= kBatchBytes;
  if (has_large) forget_earlier_turns();
  return result;
}

void Slice::forget_earlier_turns() {
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(first_of_turn_));
  for (Batch& batch : batches_) batch.clear();
  before_ = before_turn_;
  first_of_turn_ = 0;
}

bool Slice::is_full() const {
  return !empty() &&
         (last().at.bytes - before_turn_.bytes >= kBatchBytes || last().frame->kind() == FrameKind::kEnd);
}

std::size_t Slice::index_after(const Cursor& cursor) const {
  if (cursor.sequence == before_turn_.sequence) return first_of_turn_;  // Nearly always.
  if (cursor.sequence <= before_.sequence) return 0;
  const auto is_after = [](Sequence sequence, const LogEntry& entry) { return sequence < entry.at.sequence; };
  const auto first = std::upper_bound(entries_.begin(), entries_.end(), cursor.sequence, is_after);
  return static_cast<std::size_t>(first - entries_.begin());
}

Batch& Slice::batch(const Encoding& encoding, std::string_view channel) {
  Batch& batch = batches_[encoding.index()];
  for (std::size_t i = batch.frames(); i < entries_.size(); ++i)
    batch.add(*entries_[i].frame, encoding, channel);
  return batch;
}

}  // namespace weir
