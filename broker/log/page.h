// A page of a channel's history: consecutive entries of its stream, encoded once for all who read them.
//
// Threads:   any; it does not change. step_from() is pure.
// Ownership: shared (PagePtr) by the cache and those who send it.
// Limits:    page_messages() entries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "broker/log/channel_stream.h"
#include "broker/log/frame.h"
#include "proto/sse.h"
#include "proto/stream_id.h"

namespace weir {

struct PageEntry {
  FramePtr frame;          // A message, an end, or the gap of an entry that was too large.
  std::uint64_t time = 0;  // When it was published, in Unix ms.
};

struct Page {
  // The entries from this id on.
  StreamId first;
  std::vector<PageEntry> entries;
  // No entry followed when it was read.
  bool is_last = false;
  // The newest entry before `first`. Read only where the page alone can't tell what is missing.
  std::optional<StreamId> before = {};
  // The id that was given last, "0-0" if there is no stream. Read only where a reader is at or past the last entry.
  std::optional<StreamId> end = {};
  // A followed stream has had entries that are not there any more. Read only where nothing stands before the page.
  bool is_trimmed = false;
  std::size_t bytes = 0;  // Of its frames.

  // True if it has an entry behind `from`.
  bool reaches_past(const StreamId& from) const {
    return !entries.empty() && from < entries.back().frame->stream_id();
  }
};
using PagePtr = std::shared_ptr<const Page>;

// Where the reader of a followed stream stands that was made anew with lower ids: before all that it can hold.
inline constexpr StreamId kStreamAnew{0, 1};

// What a reader that has everything up to `from` does with a page.
struct PageStep {
  // Its next entry; entries.size() if this page has none.
  std::size_t index = 0;
  // Messages behind `from` that are not there any more: tell it before the entry.
  struct Gap {
    std::optional<std::uint64_t> missed;
    GapReason reason = GapReason::kHistory;
  };
  std::optional<Gap> gap;
  // Where it stands then: `from`, behind the gap, or at the end of a stream that has never been so far.
  StreamId position;
};
// Requires that the page was read for `from`: its `first` is at most the id behind it.
PageStep step_from(const Page& page, const StreamId& from, StreamKind kind);

// True if `next` follows `entry` without anything missing in between, so that no step is due between the two.
bool follows(const StreamId& entry, const StreamId& next, StreamKind kind);

// How many entries make a page: so many that it stays below kPageBytes, a power of two.
inline constexpr std::size_t kPageBytes = 256 << 10;
inline constexpr std::size_t kPageMessagesMax = 256;
inline constexpr std::size_t kPageMessagesUnseen = 4;  // While no entry was seen.
std::size_t page_messages(std::size_t entry_bytes);

// The first id of the page for a reader at `from`. A durable channel's pages are aligned, so that near positions
// share one.
StreamId page_first(const StreamId& from, StreamKind kind, std::size_t messages);

}  // namespace weir
