// From a payload (what PUBLISH carries) to a message.
#pragma once

#include <string>
#include <string_view>

#include "proto/message.h"
#include "proto/utf8.h"

namespace weir {

// What is taken for a message envelope.
enum class EnvelopeMode {
  kAuto,    // A JSON object with `data` and no key outside `data`, `id`, `type`, `retry`.
  kAlways,  // The same; anything else is still delivered as it is, but is counted by the caller as not one.
  kNever,   // Nothing: every payload is delivered as it is.
};

// Reads `payload`. Pure, any thread, never throws, never fails: what is not an envelope is delivered as it
// is, and so is an object that is nearly one (a key of the wrong type, a repeated key, a `type` with control
// characters or line ends of Unicode, a number of `retry` that is no integer, trailing garbage): nothing is
// dropped.
//  - `data`: a JSON string becomes its text; any other value stays exactly as written (digits, key order,
//    escapes, white space).
//  - `type`: `error` and `open`, which an EventSource uses itself, and any other type that begins with
//  `weir:`
//    become untyped. `weir:end` is the end of the channel, its `data` may be left out.
//  - `id`: left out unless is_own_id() (event_id.h) says that it is safe.
//  - Invalid UTF-8 is replaced by U+FFFD, one for each maximal ill-formed subsequence (Unicode 15, table 3-8:
//    as the WHATWG decoder does), and counted.
Message parse_payload(std::string_view payload, EnvelopeMode mode);

// True if `text` is one JSON value with nothing but white space around it, by the grammar of RFC 8259.
bool is_json(std::string_view text);

// `text` as a JSON string, quotes included; what is not UTF-8 is replaced. Escapes what must be, and nothing
// else.
std::string json_string(std::string_view text);

}  // namespace weir
