// text/event-stream (WHATWG HTML, 9.2) inside the chunks of HTTP/1.1 (RFC 9112, 7.1).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/event_id.h"
#include "proto/message.h"

namespace weir {

// One event, not encoded yet. Requires that id and type hold no CR, LF or NUL.
struct Event {
  std::string_view id;    // Empty: no `id:` line.
  std::string_view type;  // Empty: no `event:` line.
  // Each line (LF, CRLF or a lone CR ends one) becomes a `data:` line; empty is one empty line.
  std::string_view data;
  std::optional<std::chrono::milliseconds> retry;
};

// The fixed width of the digits of an encoded `retry:`, leading zeros included, so that they can be
// overwritten for each client without moving a byte. The retry line is always the first of its block.
inline constexpr std::size_t kRetryDigits = 5;

// The block of one event: [retry:] [event:] data:... [id:] and the blank line. The id comes last: some
// clients take it for received as soon as its line is there, and would never ask again for a message that was
// cut behind it.
std::string encode_block(const Event& event);
// Where the digits of the retry line stand in a block that begins with one.
inline constexpr std::size_t kRetryOffset = 7;
// Overwrites kRetryDigits characters at `digits`; `retry` is clamped to 0 to 99999 ms.
void write_retry_digits(char* digits, std::chrono::milliseconds retry);

// What `message` takes on the wire, compared with what a payload of one line takes: its data, each further
// line with its "data: ", and its type. So a plain text of one line counts as many bytes as it has.
std::size_t encoded_bytes(const Message& message);
// A payload's byte becomes at most so many: a line feed becomes one with a "data: " behind it.
inline constexpr std::size_t kEncodedBytesPerByte = 7;

// `block` as one HTTP chunk: "<hex length>CRLF<block>CRLF".
std::string encode_chunk(std::string_view block);
// The block inside of a chunk that encode_chunk() made (HTTP/1.0 clients get this).
std::string_view block_of_chunk(std::string_view chunk);
// The terminating chunk.
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

// An event taken apart again; data lines joined by LF. Parses any block that encode_block() made.
struct DecodedEvent {
  std::string id;
  std::string type;
  std::string data;
  std::optional<std::chrono::milliseconds> retry;
};
DecodedEvent decode_block(std::string_view block);

// A comment line and a blank line (": text"). Requires no CR or LF in `text`.
std::string encode_comment(std::string_view text);

// The forms in which one message is streamed.
enum class Form : std::uint8_t {
  kChannel,  // /channels/{channel}: the type is the publisher's.
  kEvents,   // /events: the type is the channel, or channel/type.
  kJson,     // ?form=json: untyped, data is {"channel":…,"type":…,"id":…,"data":…}.
};
inline constexpr std::size_t kForms = 3;

// The block of `message` in the kChannel form. An end without data gets {"channel":…}.
std::string encode_message(const Message& message, std::string_view channel, std::string_view id);
// The block in another form, made from the one in the kChannel form. Types that begin with "weir:" (the
// gateway's own events and the end) keep their type in every form; the end's data becomes
// {"channel":…,"data":…} there. `id` and `type` of the JSON form are left out where empty; data of kind
// kPayload is embedded as it is where it is JSON, else as a JSON string.
std::string encode_form(std::string_view channel_block, DataKind kind, std::string_view channel, Form form);

// The gateway's own events (types weir:gap, weir:live, ...).
enum class GapReason : std::uint8_t { kSlowClient, kBusDown, kHistory, kMemory, kTooLarge };
inline constexpr std::size_t kGapReasons = 5;
const char* gap_reason_name(GapReason reason);  // "slow-client", "bus-down", "history", "memory", "too-large"
// event: weir:gap, data: {"channel":…,"missed":n|null,"reason":…}. No id: no other moves a client's cursor.
std::string encode_gap(std::string_view channel, std::optional<std::uint64_t> missed, GapReason reason);
// event: weir:live, data: {"replayed":n}
std::string encode_live(std::uint64_t replayed);
// event: weir:bus, data: {"state":"up"|"down"}
std::string encode_bus_state(bool is_up);
// event: weir:token-expiring, data: {"expires":<Unix seconds>}
std::string encode_token_expiring(std::uint64_t expires);
// retry: and event: weir:overloaded, data: {"reason":…}
std::string encode_overloaded(std::string_view reason, std::chrono::milliseconds retry);

}  // namespace weir
