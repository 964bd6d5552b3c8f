#include "broker/bus/followed_stream.h"

#include <algorithm>

namespace weir {

bool is_whole(const FollowedStream& stream, const StreamBatch& batch, const StreamLook& look) {
  if (batch.has_before || look.last <= stream.after || stream.told == stream.after) return true;
  if (look.first && *look.first <= stream.after) return true;
  if (!look.entries_added || !stream.added) return false;
  const std::uint64_t gone = *look.entries_added - std::min(look.length, *look.entries_added);
  if (gone <= *stream.added) return true;
  return !batch.entries.empty() && batch.entries.back().id == look.last &&
         *look.entries_added == *stream.added + batch.entries.size();
}

std::size_t entries_per_reply(std::size_t entry_bytes, std::size_t most) {
  const std::size_t bytes = entry_bytes > 0 ? entry_bytes : kUnknownEntryBytes;
  return std::clamp<std::size_t>(kStreamReplyBytes / bytes, 1, most);
}

std::size_t next_entry_bytes(std::size_t before, std::size_t largest) {
  // One large entry makes the next replies short, but not all of them for ever.
  return std::max({largest, before - before / 4, std::size_t{1}});
}

}  // namespace weir
