// A piece of one log on its way to the clients of one shard: its entries, and their bytes in each encoding
// that somebody asks for, each made once. It may grow while it is being sent.
//
// Threads: the shard's own; a shard keeps one, so that its memory is used again.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "broker/fanout/batch.h"
#include "broker/log/channel_log.h"

namespace weir {

class Slice {
 public:
  // An empty one, of what follows `before`.
  void begin(const Cursor& before);
  void clear() { begin({}); }

  // What lies behind it. Appends what `log` has up to `horizon`, within kBatchBytes altogether (one entry may
  // be larger): like ChannelLog::read().
  ChannelLog::ReadResult read(const ChannelLog& log, Sequence horizon);

  bool empty() const { return entries_.empty(); }
  const std::vector<LogEntry>& entries() const { return entries_; }
  const LogEntry& last() const { return entries_.back(); }
  // Nothing more may follow: it has no room, or ends with the channel's end.
  bool is_full() const;
  // True if a reader at `cursor` needs nothing but this, or nothing at all.
  bool holds_all_after(const Cursor& cursor) const { return cursor.sequence >= before_.sequence; }
  // The index of the first entry after `cursor`.
  std::size_t index_after(const Cursor& cursor) const;

  // Frame i of the batch is entry i.
  Batch& batch(const Encoding& encoding, std::string_view channel);

 private:
  Cursor before_;
  std::vector<LogEntry> entries_;
  std::array<Batch, kEncodings> batches_;
};

}  // namespace weir
