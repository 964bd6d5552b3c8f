// Encodes text/event-stream (WHATWG HTML, 9.2) inside the chunks of HTTP/1.1 (RFC 9112, 7.1). Pure functions,
// for any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/message.h"

namespace weir {

// An event to encode. `id` and `type` hold no CR, LF or NUL; if one is empty, its line is left out.
struct Event {
  std::string_view id;
  std::string_view type;
  // Each line becomes a `data:` line. LF, CRLF and a lone CR end a line. Empty data is one empty line.
  std::string_view data;
  std::optional<std::chrono::milliseconds> retry;
};

// Encodes the block of one event: [retry:] [event:] data:... [id:] and the blank line. The id comes last:
// some clients remember it as soon as they have read its line, and would never ask again for a message that
// was cut off after it.
std::string encode_block(const Event& event);

// An encoded `retry:` line is the first of its block and always has this many digits, with leading zeros.
// Each client's own number can be written over them without moving a byte.
inline constexpr std::size_t kRetryDigits = 5;
// The offset of these digits in a block that begins with a `retry:` line.
inline constexpr std::size_t kRetryOffset = 7;
// Overwrites kRetryDigits characters at `digits`. Clamps `retry` to 0 to 99999 ms.
void write_retry_digits(char* digits, std::chrono::milliseconds retry);

// The size of `message` for --max-message-bytes: its type, its data, and "data: " and a line feed for each
// line after the first. One line without a type counts its own bytes.
std::size_t encoded_bytes(const Message& message);
// The most bytes that one byte of a payload becomes: a line feed becomes itself and "data: ".
inline constexpr std::size_t kEncodedBytesPerByte = 7;

// Encodes `block` as one HTTP chunk: "<hex length>CRLF<block>CRLF". Requires that it is not empty: an empty
// chunk ends a response.
std::string encode_chunk(std::string_view block);
// Returns the block inside a chunk that encode_chunk() made, as clients of HTTP/1.0 get it.
std::string_view block_of_chunk(std::string_view chunk);
// The chunk that ends a response.
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

// The fields of a block made by encode_block(). Data lines are joined by LF.
struct DecodedEvent {
  std::string id;
  std::string type;
  std::string data;
  std::optional<std::chrono::milliseconds> retry;
};
DecodedEvent decode_block(std::string_view block);

// The forms in which a message is streamed.
enum class Form : std::uint8_t {
  // /channels/{channel}: the type is the publisher's.
  kChannel,
  // /events: the type is the channel, or channel/type.
  kEvents,
  // ?form=json: untyped, with {"channel":…,"type":…,"id":…,"time":…,"data":…} as data.
  kJson,
};
inline constexpr std::size_t kForms = 3;

// Encodes `message` in the kChannel form. An end without data gets {"channel":…}.
std::string encode_message(const Message& message, std::string_view channel, std::string_view id);
// Encodes a block of the kChannel form in another form.
//  - The gateway's own events, whose types begin with "weir:", stay as they are. The end keeps its type, and
//    its data becomes {"channel":…,"data":…}, or stays {"channel":…} if the publisher gave none.
//  - In the JSON form an empty `id` or `type` is left out, and so is a `time` of 0. Data of kind kPayload is embedded as
//    it is if it is JSON, and as a JSON string otherwise.
std::string encode_form(std::string_view channel_block, DataKind kind, std::string_view channel, Form form,
                        std::uint64_t time = 0);

// `data` as a JSON value, as the JSON form has it.
std::string data_as_json(std::string_view data, DataKind kind);

// Why a client missed messages.
enum class GapReason : std::uint8_t { kSlowClient, kBusDown, kHistory, kMemory, kTooLarge, kReset };
inline constexpr std::size_t kGapReasons = 6;
// The name on the wire: "slow-client", "bus-down", "history", "memory", "too-large" or "reset".
const char* gap_reason_name(GapReason reason);

// The gateway's own events. Besides weir:end, none has an id.

// event: weir:gap, data: {"channel":…,"missed":n|null,"reason":…}
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
