#include "proto/envelope.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

#include "proto/eight_bytes.h"
#include "proto/event_id.h"
#include "proto/json_scanner.h"
#include "proto/utf8.h"

namespace weir {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRetryMin{1'000};
constexpr milliseconds kRetryMax{60'000};
constexpr std::string_view kEndType = "weir:end";

// The values of an object that has no other keys. Strings are decoded, so that no byte is read twice. Other
// values are as they were written, and empty if the key is missing.
struct RawEnvelope {
  std::string_view data;                 // A value that is no string,
  std::optional<std::string> data_text;  // or a string.
  std::optional<std::string> id;
  std::optional<std::string> type;
  std::string_view retry;
};

bool read_text(JsonScanner& scanner, std::optional<std::string>& text) {
  return !text && scanner.next_text(text.emplace());
}

bool read_value(JsonScanner& scanner, std::string_view& value) {
  return value.empty() && !(value = scanner.next_value()).empty();
}

// False for a key that an envelope does not have, or has already, and for a value of the wrong type.
bool read_member(JsonScanner& scanner, std::string_view key, RawEnvelope& envelope) {
  if (key == "id") return read_text(scanner, envelope.id);
  if (key == "type") return read_text(scanner, envelope.type);
  if (key == "retry") return read_value(scanner, envelope.retry);
  if (key != "data") return false;
  if (scanner.is_at_string()) return envelope.data.empty() && read_text(scanner, envelope.data_text);
  return !envelope.data_text && read_value(scanner, envelope.data);
}

// Stops at the first member that no envelope has, so it reads no more of plain JSON than that.
std::optional<RawEnvelope> scan(std::string_view text) {
  JsonScanner scanner(text);
  RawEnvelope envelope;
  if (!scanner.take('{')) return std::nullopt;
  std::string key;
  do {
    if (!scanner.next_text(key) || !scanner.take(':') || !read_member(scanner, key, envelope))
      return std::nullopt;
  } while (scanner.take(','));
  if (!scanner.take('}') || !scanner.is_at_end()) return std::nullopt;
  return envelope;
}

// An unsigned integer of JSON, clamped; nullopt for anything else, numbers past 64 bits included.
std::optional<milliseconds> read_retry(std::string_view raw) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), value);
  if (error != std::errc() || end != raw.data() + raw.size()) return std::nullopt;
  return std::clamp(milliseconds(std::min<std::uint64_t>(value, kRetryMax.count())), kRetryMin, kRetryMax);
}

// False for a type that cannot stand in one line of SSE. Requires valid UTF-8.
bool is_one_line(std::string_view type) {
  for (std::size_t i = 0; i < type.size();) {
    const auto byte = [&](std::size_t behind) { return static_cast<unsigned char>(type[i + behind]); };
    if (byte(0) < 0x80 && type.size() - i >= 8) {
      const EightBytes word = load_eight(type.data() + i);
      const std::size_t plain =
          bytes_before(first_below(word, 0x20) | first_equal(word, 0x7f) | (word & kTopBits));
      if (plain == 0) return false;
      i += plain;
      continue;
    }
    if (byte(0) < 0x20 || byte(0) == 0x7f) return false;
    // NEL, LINE SEPARATOR, PARAGRAPH SEPARATOR. They end no line of a stream, but a client that splits it as
    // text (Python's splitlines()) would read a field of its own after them.
    if (byte(0) == 0xc2 && byte(1) == 0x85) return false;
    if (byte(0) == 0xe2 && byte(1) == 0x80 && (byte(2) == 0xa8 || byte(2) == 0xa9)) return false;
    ++i;
  }
  return true;
}

// False if the type is not allowed.
bool take_type(Message& message, std::optional<std::string>& type) {
  if (!type) return true;
  if (!is_one_line(*type)) return false;
  message.is_end = *type == kEndType;
  const bool is_reserved = *type == "error" || *type == "open" || type->starts_with("weir:");
  if (message.is_end || !is_reserved) message.type = std::move(*type);
  return true;
}

// False without data, unless the message ends its channel.
bool take_data(Message& message, RawEnvelope& raw) {
  message.has_data = raw.data_text || !raw.data.empty();
  message.data_kind = raw.data_text ? DataKind::kText : DataKind::kJson;
  if (raw.data_text) {
    message.data = std::move(*raw.data_text);
  } else {
    message.data = raw.data;
  }
  return message.has_data || message.is_end;
}

// Requires valid UTF-8.
std::optional<Message> read_envelope(std::string_view text) {
  auto raw = scan(text);
  if (!raw) return std::nullopt;
  Message message;
  if (!take_type(message, raw->type) || !take_data(message, *raw)) return std::nullopt;
  if (raw->id && is_own_id(*raw->id)) message.id = std::move(*raw->id);
  if (!raw->retry.empty()) {
    message.retry = read_retry(raw->retry);
    if (!message.retry) return std::nullopt;
  }
  return message;
}

}  // namespace

Message parse_payload(std::string_view payload, EnvelopeMode mode) {
  std::string repaired;
  std::size_t replaced = 0;
  if (!is_utf8(payload)) {
    repaired = payload;
    replaced = replace_invalid_utf8(repaired);
    payload = repaired;
  }
  std::optional<Message> message;
  if (mode != EnvelopeMode::kNever) message = read_envelope(payload);
  if (!message) {
    message.emplace();
    if (replaced > 0) {
      message->data = std::move(repaired);
    } else {
      message->data = payload;
    }
  }
  message->replaced = replaced;
  return std::move(*message);
}

void set_type(Message& message, std::string_view type) {
  if (type.empty()) return;
  std::optional<std::string> text(type);
  if (!is_utf8(*text)) message.replaced += replace_invalid_utf8(*text);
  take_type(message, text);
}

bool is_json(std::string_view text) {
  JsonScanner scanner(text);
  return !scanner.next_value().empty() && scanner.is_at_end();
}

}  // namespace weir
