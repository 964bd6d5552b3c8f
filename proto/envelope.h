// Turns a payload, the bytes that PUBLISH carries, into a message. Pure functions, for any thread; they never
// throw, and never fail: nothing that was published is dropped.
#pragma once

#include <string>
#include <string_view>

#include "proto/message.h"
#include "proto/utf8.h"

namespace weir {

// The payloads that are read as an envelope.
enum class EnvelopeMode {
  // A JSON object with `data` and no key but `data`, `id`, `type` and `retry`.
  kAuto,
  // The same. The caller counts every other payload as a mistake; it is delivered all the same.
  kAlways,
  // None: every payload is delivered as it is.
  kNever,
};

// Reads `payload`. Anything that is not an envelope becomes the data of a message as it is. So does an
// object that is almost an envelope: a key of the wrong type, a repeated key, a `type` with control
// characters or Unicode's line separators, a `retry` that is not an unsigned integer of 64 bits, or text
// after the object.
//  - `data`: a JSON string becomes its text. Any other value stays exactly as it was written: its digits,
//    order of keys, escapes and white space.
//  - `type`: `error` and `open`, which an EventSource fires itself, become untyped. So does every type that
//    begins with `weir:`, except `weir:end`, which ends the channel and may come without `data`.
//  - `id`: left out unless is_own_id() (event_id.h) accepts it.
//  - `retry`: clamped to 1 to 60 s.
//  - Invalid UTF-8 is replaced as replace_invalid_utf8() does it, and counted in the message.
Message parse_payload(std::string_view payload, EnvelopeMode mode);

// Gives `message` the type that came beside its payload, by the rules above. One that can't stand in a line of SSE,
// or is reserved, changes nothing. Empty: none.
void set_type(Message& message, std::string_view type);

// True if `text` is one JSON value by the grammar of RFC 8259, with only white space around it.
bool is_json(std::string_view text);

// Returns `text` as a JSON string, quotes included. Escapes only what the grammar requires,
// and replaces invalid UTF-8.
std::string json_string(std::string_view text);

}  // namespace weir
