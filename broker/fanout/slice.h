// A piece of one log on its way to the clients of one shard: its entries, and their bytes in each encoding
// that somebody asks for, each made once. It may grow while it is being sent. It goes on over several turns,
// so that many clients that lag a little find in it what each would read and copy for itself.
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
  // A new turn, of what follows `before`: keeps what it holds if that ends there and has at most `bytes_max`.
  void go_on(const Cursor& before, std::size_t bytes_max);
  void clear() { begin({}); }

  // What lies behind it. Appends what `log` has up to `horizon`, within kBatchBytes a turn (one entry may
  // be larger): like ChannelLog::read().
  ChannelLog::ReadResult read(const ChannelLog& log, Sequence horizon);

  bool empty() const { return entries_.empty(); }
  const std::vector<LogEntry>& entries() const { return entries_; }
  const LogEntry& last() const { return entries_.back(); }
  // The first entry of this turn; entries().size() if there is none yet.
  std::size_t first_of_turn() const { return first_of_turn_; }
  // Nothing more may follow in this turn: it has no room, or ends with the channel's end.
  bool is_full() const;
  // True if a reader at `cursor` needs nothing but this, or nothing at all.
  bool holds_all_after(const Cursor& cursor) const { return cursor.sequence >= before_.sequence; }
  // The index of the first entry after `cursor`.
  std::size_t index_after(const Cursor& cursor) const;

  // Frame i of the batch is entry i.
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
