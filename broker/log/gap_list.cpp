#include "broker/log/gap_list.h"

#include <algorithm>
#include <cassert>

namespace weir {

namespace {

SharedGap join(const SharedGap& older, const SharedGap& newer) {
  SharedGap joined{older.first, newer.last, newer.reason, std::nullopt, false};
  if (older.missed && newer.missed) joined.missed = *older.missed + *newer.missed;
  if (!older.missed) joined.reason = older.reason;  // The less certain gap decides.
  return joined;
}

}  // namespace

void GapList::add(SharedGap gap) {
  assert(gaps_.empty() || gaps_.back().last.sequence <= gap.first.sequence);
  if (gaps_.size() == kGapsMax) join_two();
  gaps_.push_back(gap);
}

void GapList::add_dropped(const Cursor& at, GapReason reason) {
  if (!gaps_.empty() && gaps_.back().is_run && gaps_.back().last.ordinal + 1 == at.ordinal) {
    gaps_.back().last = at;
    ++*gaps_.back().missed;
    return;
  }
  add({at, at, reason, 1, /*is_run=*/true});
}

// Joins the oldest two of one reason, to stay as accurate as possible; else the oldest two.
void GapList::join_two() {
  const auto same = [](const SharedGap& a, const SharedGap& b) {
    return a.reason == b.reason && a.missed.has_value() == b.missed.has_value();
  };
  auto older = std::adjacent_find(gaps_.begin(), gaps_.end(), same);
  if (older == gaps_.end()) older = gaps_.begin();
  *older = join(*older, *(older + 1));
  gaps_.erase(older + 1);
}

void GapList::collect(const Cursor& from, const Cursor& until, GapList& to) const {
  for (SharedGap gap : gaps_) {
    if (gap.last.sequence <= from.sequence || gap.first.sequence > until.sequence) continue;
    const bool is_whole = gap.first.sequence > from.sequence && gap.last.sequence <= until.sequence;
    if (!is_whole) {
      gap.missed = gap.is_run ? std::optional(std::min(gap.last.ordinal, until.ordinal) -
                                              std::max(gap.first.ordinal - 1, from.ordinal))
                              : std::nullopt;
      if (gap.first.sequence <= from.sequence) gap.first = from;
      if (gap.last.sequence > until.sequence) gap.last = until;
      gap.is_run = false;
    }
    to.add(gap);
  }
}

std::optional<std::uint64_t> GapList::missed() const {
  std::uint64_t sum = 0;
  for (const SharedGap& gap : gaps_) {
    if (!gap.missed) return std::nullopt;
    sum += *gap.missed;
  }
  return sum;
}

}  // namespace weir
