// The history of channels beyond their logs, as readers see it. The hub implements it (hub/history_reader.h).
//
// Threads:   any for every function; none blocks. `done` is called once, on some thread, unless the gateway ends
//            first, or `is_wanted` (asked on any thread) has become false. While Redis is away it waits.
// Ownership: outlives the shards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include "broker/log/channel_stream.h"
#include "broker/log/page.h"
#include "proto/stream_id.h"

namespace weir {

// A place in a stream that only the stream itself can tell.
struct Wish {
  enum class Kind : std::uint8_t {
    kBirth,    // Entry `from.n` of the birth whose time is that of `from.ms`.
    kNewest,   // Before the newest `number` messages.
    kSince,    // Before the first message published at `number` or later, in Unix ms.
    kLastEnd,  // The newest end behind `from`, or `from`.
  };
  Kind kind = Kind::kNewest;
  std::uint64_t number = 0;
  StreamId from = {};
};

// The answer to a wish.
struct Located {
  bool is_refused = false;  // Redis refuses to read the stream, or too many ask.
  StreamId position = {};
  // What is missing of what was asked for: tell it first.
  std::optional<PageStep::Gap> gap = {};
};

class History {
 public:
  using IsWanted = std::function<bool()>;

  virtual ~History() = default;
  // A page at hand that has an entry behind `from`; null if there is none.
  virtual PagePtr find(const ChannelStream& stream, const StreamId& from) = 0;
  // Reads the page for a reader at `from`. `is_fresh`: as the stream is from now on, not as somebody else's read
  // that is under way may have found it. The page is null if Redis refuses, or too many ask.
  virtual void read(const ChannelStreamPtr& stream, const StreamId& from, bool is_fresh,
                    std::function<void(PagePtr)> done, IsWanted is_wanted) = 0;
  virtual void locate(const ChannelStreamPtr& stream, const Wish& wish, std::function<void(Located)> done,
                      IsWanted is_wanted) = 0;
};

}  // namespace weir
