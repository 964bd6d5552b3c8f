// A publisher's message, as parse_payload() (envelope.h) has read it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace weir {

// How a stream with ?form=json puts `Message::data` into its JSON.
enum class DataKind : std::uint8_t {
  // The whole payload. Nobody has checked yet whether it is JSON.
  kPayload,
  // A JSON value, exactly as the publisher wrote it.
  kJson,
  // The text of a JSON string in the envelope.
  kText,
};

// Owns its strings. `type` and `id` hold no CR, LF or NUL: they could forge SSE fields.
struct Message {
  std::string data;
  DataKind data_kind = DataKind::kPayload;
  // The type of the SSE event. Empty means "message".
  std::string type;
  // The publisher's own id. Empty if there is none, or if is_own_id() refuses it.
  std::string id;
  // From 1 to 60 s, not jittered yet.
  std::optional<std::chrono::milliseconds> retry;
  // The type is weir:end: the message ends its channel.
  bool is_end = false;
  // False only for an end that came without data.
  bool has_data = true;
  // When the gateway got it, or a channel with a history its entry, in Unix ms; 0: nobody has set it.
  std::uint64_t time = 0;
  // How many invalid sequences of UTF-8 became U+FFFD.
  std::size_t replaced = 0;
};

}  // namespace weir
