// Gaps that all clients of a channel share, and that lie among entries which nobody can read any more.
//
// Threads: its owner's. Limits: kGapsMax gaps; past it neighbours are joined.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "broker/log/cursor.h"
#include "proto/sse.h"

namespace weir {

// One gap, or several that were joined.
struct SharedGap {
  Cursor first;  // Behind the first of them.
  Cursor last;   // Behind the last of them.
  GapReason reason = GapReason::kBusDown;
  std::optional<std::uint64_t> missed;  // Messages; null if unknown.
  bool is_run = false;  // It is every message from `first` to `last`, so that any part of it counts itself.
};

class GapList {
 public:
  static constexpr std::size_t kGapsMax = 64;

  // Adds `gap`, which lies behind all others. A full list joins two neighbours: a reader before both is told
  // their sum, a reader between them a gap of unknown size.
  void add(SharedGap gap);
  // Adds a message that was dropped. Dropped messages in a row are one gap, exact for every reader.
  void add_dropped(const Cursor& at, GapReason reason);

  // Appends to `to` the gaps behind `from`, up to `until`. Of a joined gap that lies across either bound the
  // size is unknown.
  void collect(const Cursor& from, const Cursor& until, GapList& to) const;
  // The messages that all of them count; null if one of them does not know.
  std::optional<std::uint64_t> missed() const;

  bool empty() const { return gaps_.empty(); }
  std::size_t size() const { return gaps_.size(); }
  const SharedGap& operator[](std::size_t index) const { return gaps_[index]; }
  auto begin() const { return gaps_.begin(); }
  auto end() const { return gaps_.end(); }

 private:
  void join_two();

  std::vector<SharedGap> gaps_;  // Oldest first.
};

}  // namespace weir
