// Event ids: what an SSE `id:` line of weir holds, and what a Last-Event-ID brings back.
//
//   g<epoch>.<sequence>            a live message: the gateway's epoch, its gateway-wide sequence
//   g<epoch>.<sequence>~<own id>   the same, with the publisher's own id
//   g<epoch>.<sequence>~end        the end of a channel (also ...~<own id>~end)
//
// An id has at most 128 bytes, printable ASCII without "():<>?@[\]{} : with others a browser turns the
// reconnect of a cross-origin stream into a CORS preflight (Fetch, "CORS-unsafe request-header byte"). No
// space at either end: a header loses it on the way back, and an own id "end " would come back as the mark of
// the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

// The gateway-wide order of all messages of one gateway's life; the first one is 1.
using Sequence = std::uint64_t;

inline constexpr std::size_t kEventIdBytesMax = 128;

struct EventId {
  std::string epoch;
  Sequence sequence = 0;  // 0 is the position before the first message.
};

// An epoch: 8 to 16 characters of a-z and 0-9, from a random number.
std::string make_epoch(std::uint64_t random);

std::string format_event_id(std::string_view epoch, Sequence sequence);
// With the publisher's own id (empty or is_own_id()) and the end's mark. Never more than kEventIdBytesMax.
std::string format_event_id(std::string_view epoch, Sequence sequence, std::string_view own_id, bool is_end);

// The part that resumes; nullopt if `id` is not one of the forms above (any epoch is accepted).
std::optional<EventId> parse_event_id(std::string_view id);

// True for an id that ends in "~end" and could be one (length and characters): its stream has ended.
bool is_end_id(std::string_view id);

// True if a publisher may use `id` as its own: not empty, at most 64 bytes, safe characters, and neither
// "end" nor ending in "~end".
bool is_own_id(std::string_view id);

}  // namespace weir
