// The shared gaps of a channel among its forgotten entries.
//
// Threads: its owner's.
// Limits:  kGapsMax gaps. Past it two neighbours become one.
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
  Cursor first;  // After the first of them.
  Cursor last;   // After the last of them.
  GapReason reason = GapReason::kBusDown;
  std::optional<std::uint64_t> missed;  // Messages; null if unknown.
  // Every message from `first` to `last` is missing, so any part of the gap can be counted.
  bool is_run = false;
};

class GapList {
 public:
  static constexpr std::size_t kGapsMax = 64;

  // Adds `gap`, which must come after all others. A full list first joins two neighbours: a reader before
  // both gets their sum, a reader between them a gap of unknown size.
  void add(SharedGap gap);
  // Adds a dropped message. Dropped messages in a row are one gap whose parts can be counted.
  void add_dropped(const Cursor& at, GapReason reason);

  // Appends to `to` the gaps after `from`, up to `until`. A joined gap that crosses a bound
  // gets an unknown size.
  void collect(const Cursor& from, const Cursor& until, GapList& to) const;
  // The sum of all gaps; null if the size of one is unknown.
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
