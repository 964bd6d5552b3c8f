// A piece of one log on its way to the clients of one shard: its entries, and their bytes in each encoding in
// use, made once. It may grow while it is being sent, and lasts several turns: clients that lag a little
// share it instead of reading and copying for themselves.
//
// Threads:   the shard's.
// Ownership: the shard keeps one, to reuse its memory. It shares the frames with the log.
// Limits:    kBatchBytes a turn, and one larger entry; ShardOptions::slice_bytes over several turns.
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
  // Empties it. The entries after `before` come next.
  void begin(const Cursor& before);
  // Begins a turn with the entries after `before`. Keeps its earlier entries if they end there
  // and are within `bytes_max`.
  void go_on(const Cursor& before, std::size_t bytes_max);
  void clear() { begin({}); }

  // Appends the next entries of `log` up to `horizon`, at most kBatchBytes a turn, or one larger entry.
  // Returns the result of ChannelLog::read().
  ChannelLog::ReadResult read(const ChannelLog& log, Sequence horizon);

  bool empty() const { return entries_.empty(); }
  const std::vector<LogEntry>& entries() const { return entries_; }
  const LogEntry& last() const { return entries_.back(); }
  // The index of this turn's first entry; entries().size() if there is none yet.
  std::size_t first_of_turn() const { return first_of_turn_; }
  // True if the turn takes no more: it is at its limit, or ends with the channel's end.
  bool is_full() const;
  // True if this slice holds every entry after `cursor`.
  bool holds_all_after(const Cursor& cursor) const { return cursor.sequence >= before_.sequence; }
  // The index of the first entry after `cursor`.
  std::size_t index_after(const Cursor& cursor) const;

  // The bytes in one encoding. Frame i of the batch is entry i.
  Batch& batch(const Encoding& encoding, std::string_view channel);

 private:
  Cursor end() const { return entries_.empty() ? before_ : entries_.back().at; }
  void forget_earlier_turns();

  Cursor before_;
  Cursor before_turn_;
  std::size_t first_of_turn_ = 0;
  std::vector<LogEntry> entries_;
  std::array<Batch, kEncodings> batches_;
};

}  // namespace weir
