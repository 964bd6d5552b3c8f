#include "broker/fanout/slice.h"

#include <algorithm>

namespace weir {

void Slice::begin(const Cursor& before) {
  before_ = before;
  entries_.clear();
  for (Batch& batch : batches_) {
    if (!batch.empty()) batch.clear();
  }
}

ChannelLog::ReadResult Slice::read(const ChannelLog& log, Sequence horizon) {
  const Cursor from = empty() ? before_ : last().at;
  return log.read(from, horizon, kBatchBytes - (from.bytes - before_.bytes), entries_);
}

bool Slice::is_full() const {
  return !empty() &&
         (last().at.bytes - before_.bytes >= kBatchBytes || last().frame->kind() == FrameKind::kEnd);
}

std::size_t Slice::index_after(const Cursor& cursor) const {
  if (cursor.sequence <= before_.sequence) return 0;  // Nearly always.
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
