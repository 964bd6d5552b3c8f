// What a publisher sent, after its payload was read: see envelope.h.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

namespace weir {

// How `Message::data` may be put into a JSON document (the ?form=json stream).
enum class DataKind {
  kPayload,  // The payload as it came: a JSON value or any other text, not looked at yet.
  kJson,     // A JSON value, exactly as the publisher wrote it.
  kText,     // Text: a JSON string of the envelope, decoded.
};

// Owns its strings. `type` and `id` hold no CR, LF or NUL: they could forge SSE fields.
struct Message {
  std::string data;
  DataKind data_kind = DataKind::kPayload;
  std::string type;  // The SSE event type; empty is "message".
  std::string id;    // The publisher's own; empty if it gave none, or a bad one.
  std::optional<std::chrono::milliseconds> retry;  // Clamped to 1 to 60 s, not jittered yet.
  bool is_end = false;                             // Type weir:end: the last message of its channel.
  bool has_data = true;                            // False only for a weir:end whose data was left out.
  std::size_t replaced = 0;                        // Sequences that were not UTF-8, each now U+FFFD.
};

}  // namespace weir
