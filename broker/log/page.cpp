#include "broker/log/page.h"

#include <algorithm>

namespace weir {
namespace {

// The newest entry up to `from` that the page knows of.
std::optional<StreamId> previous_entry(const Page& page, const StreamId& from, std::size_t index) {
  if (index > 0) return page.entries[index - 1].frame->stream_id();
  if (page.before && *page.before <= from) return page.before;
  return std::nullopt;
}

// What a reader of a durable channel misses between `from` and `next`, the next entry that is there.
std::optional<PageStep::Gap> gap_of_durable(const std::optional<StreamId>& previous, const StreamId& from,
                                            const StreamId& next) {
  std::uint64_t last = from.n;
  if (next.ms != from.ms && from != kStreamBegin) {
    // Nothing as old is left: nobody knows what followed.
    if (!previous) return PageStep::Gap{std::nullopt, GapReason::kReset};
    // Redis trims from the oldest on, so nothing is missing behind `previous`. If the numbers go on from there, and
    // not from `from`, Redis has lost what `from` had seen.
    last = next.n > from.n ? std::max(from.n, previous->n) : previous->n;
  }
  if (next.n <= last + 1) return std::nullopt;
  return PageStep::Gap{next.n - last - 1, GapReason::kHistory};
}

// A followed stream's ids say nothing about what was between them. It is complete if something as old as `from` is
// still there.
std::optional<PageStep::Gap> gap_of_followed(const Page& page, const std::optional<StreamId>& previous,
                                             const StreamId& from) {
  if (previous || from == kStreamAnew) return std::nullopt;
  if (page.is_trimmed) return PageStep::Gap{std::nullopt, GapReason::kHistory};
  // Nothing was ever taken out of it: a position in it is not from it.
  return from == kStreamBegin ? std::nullopt : std::optional(PageStep::Gap{std::nullopt, GapReason::kReset});
}

}  // namespace

PageStep step_from(const Page& page, const StreamId& from, StreamKind kind) {
  const auto is_behind = [](const StreamId& id, const PageEntry& entry) {
    return id < entry.frame->stream_id();
  };
  const auto found = std::upper_bound(page.entries.begin(), page.entries.end(), from, is_behind);
  PageStep step;
  step.index = static_cast<std::size_t>(found - page.entries.begin());
  step.position = from;
  const auto previous = previous_entry(page, from, step.index);
  if (step.index < page.entries.size()) {
    const StreamId& next = page.entries[step.index].frame->stream_id();
    step.gap = kind == StreamKind::kDurable ? gap_of_durable(previous, from, next)
                                            : gap_of_followed(page, previous, from);
    if (step.gap && id_before(next) == from) step.gap.reset();  // It was told.
    if (step.gap) step.position = id_before(next);
    return step;
  }
  // Nothing is left behind `from`. Something was, if a later id was given.
  if (!page.is_last || !page.end || *page.end == from) return step;
  step.position = *page.end;
  if (from < *page.end) {
    step.gap = kind == StreamKind::kDurable ? gap_of_durable(previous, from, {page.end->ms, page.end->n + 1})
                                            : PageStep::Gap{std::nullopt, GapReason::kHistory};
    return step;
  }
  // The stream has never been so far: Redis has lost its last entries, or it was made anew.
  if (kind == StreamKind::kFollowed) {
    step.gap = PageStep::Gap{std::nullopt, GapReason::kReset};
    step.position = kStreamAnew;
  } else if (!previous && page.end->ms != from.ms) {
    step.gap = PageStep::Gap{std::nullopt, GapReason::kReset};
  }
  return step;
}

bool follows(const StreamId& entry, const StreamId& next, StreamKind kind) {
  return kind == StreamKind::kFollowed || (next.ms == entry.ms && next.n == entry.n + 1);
}

std::size_t page_messages(std::size_t entry_bytes) {
  if (entry_bytes == 0) return kPageMessagesUnseen;
  std::size_t messages = 1;
  while (messages < kPageMessagesMax && 2 * messages * entry_bytes <= kPageBytes) messages *= 2;
  return messages;
}

StreamId page_first(const StreamId& from, StreamKind kind, std::size_t messages) {
  if (kind == StreamKind::kFollowed || from.n == ~std::uint64_t{0}) return from;
  return {from.ms, from.n / messages * messages + 1};
}

}  // namespace weir
