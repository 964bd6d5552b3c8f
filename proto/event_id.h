// Event ids: the text of weir's SSE `id:` lines, which a browser sends back as Last-Event-ID. Pure functions,
// for any thread.
//
//   g<epoch>.<sequence>            a live message: the gateway's epoch, its gateway-wide sequence
//   g<epoch>.<sequence>~<own id>   the same, with the publisher's own id
//   g<epoch>.<sequence>~end        the end of a channel (also ...~<own id>~end)
//
// An id is at most 128 bytes of printable ASCII without "():<>?@[\]{}. With any of these, a browser would
// send a CORS preflight before it reconnects to a cross-origin stream (Fetch, "CORS-unsafe request-header
// byte"). An id neither begins nor ends with a space: the header would lose it on the way back, and the own
// id "end " would come back as the mark of the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

// The place of a message among all messages of a gateway since its start. The first one is 1.
using Sequence = std::uint64_t;

inline constexpr std::size_t kEventIdBytesMax = 128;

struct EventId {
  std::string epoch;
  // 0 is the position before the first message.
  Sequence sequence = 0;
};

// Makes an epoch, 8 to 16 characters of a-z and 0-9, from a random number.
std::string make_epoch(std::uint64_t random);

std::string format_event_id(std::string_view epoch, Sequence sequence);
// Adds the publisher's own id, which is empty or an is_own_id(), and the mark of the end. The
// result never exceeds kEventIdBytesMax.
std::string format_event_id(std::string_view epoch, Sequence sequence, std::string_view own_id, bool is_end);

// Returns the position that `id` names; nullopt if it has none of the forms above. Accepts every epoch.
std::optional<EventId> parse_event_id(std::string_view id);

// `position` with the publisher's own id and the mark of the end behind it.
std::string with_id_suffix(std::string position, std::string_view own_id, bool is_end);
// True for what may stand behind the first "~": an own id, "end", or both.
bool is_id_suffix(std::string_view suffix);

// True if `id` ends in "~end" and has the length and characters of an id: the stream it came from has ended.
bool is_end_id(std::string_view id);

// True if a publisher may use `id` as its own: 1 to 64 bytes of the characters above, neither "end" nor
// ending in "~end".
bool is_own_id(std::string_view id);

}  // namespace weir
