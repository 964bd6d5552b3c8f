#include "proto/envelope.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>

#include "proto/event_id.h"
#include "proto/json_scanner.h"

namespace weir {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;

constexpr milliseconds kRetryMin{1'000};
constexpr milliseconds kRetryMax{60'000};
constexpr std::string_view kEndType = "weir:end";

// The raw values of an object that has no other keys, each as it was written; no data where the key is
// missing.
struct RawEnvelope {
  std::string_view data;
  std::string_view id;
  std::string_view type;
  std::string_view retry;
};

// The text of a JSON string, quotes included; nullopt if it is none, or holds half a surrogate pair.
std::optional<std::string> decode_string(std::string_view raw) {
  if (raw.size() < 2 || raw.front() != '"') return std::nullopt;
  const std::string_view inside = raw.substr(1, raw.size() - 2);
  // Without an escape it is what it says: most keys, types and ids.
  if (raw.back() == '"' && inside.find_first_of("\"\\") == std::string_view::npos) return std::string(inside);
  const Json value = Json::parse(raw.begin(), raw.end(), nullptr, false);
  if (!value.is_string()) return std::nullopt;
  return value.get<std::string>();
}

std::string_view* slot_of(std::string_view key, RawEnvelope& envelope) {
  if (key == "data") return &envelope.data;
  if (key == "id") return &envelope.id;
  if (key == "type") return &envelope.type;
  if (key == "retry") return &envelope.retry;
  return nullptr;
}

// Stops at the first key that an envelope does not have, or has twice: of plain JSON no more is read than
// that.
std::optional<RawEnvelope> scan(std::string_view text) {
  JsonScanner scanner(text);
  RawEnvelope envelope;
  if (!scanner.take('{')) return std::nullopt;
  do {
    const auto key = decode_string(scanner.next_string());
    std::string_view* const slot = key ? slot_of(*key, envelope) : nullptr;
    if (slot == nullptr || !slot->empty() || !scanner.take(':')) return std::nullopt;
    *slot = scanner.next_value();
    if (slot->empty()) return std::nullopt;
  } while (scanner.take(','));
  if (!scanner.take('}') || !scanner.is_at_end()) return std::nullopt;
  return envelope;
}

// An integer of JSON, clamped; nullopt for anything else, negative numbers and those past 64 bits included.
std::optional<milliseconds> read_retry(std::string_view raw) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), value);
  if (error != std::errc() || end != raw.data() + raw.size()) return std::nullopt;
  return std::clamp(milliseconds(std::min<std::uint64_t>(value, kRetryMax.count())), kRetryMin, kRetryMax);
}

// Nullopt if `raw` is not a string or one that cannot stand in one line of SSE.
std::optional<std::string> read_type(std::string_view raw) {
  auto type = decode_string(raw);
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  if (!type || std::any_of(type->begin(), type->end(), is_control)) return std::nullopt;
  // NEL, LINE SEPARATOR, PARAGRAPH SEPARATOR. They end no line of a stream, but do to who splits it as text
  // (Python's splitlines()), and what follows would be a field of its own.
  for (const char* line_end : {"\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9"}) {
    if (type->find(line_end) != std::string::npos) return std::nullopt;
  }
  return type;
}

// False if there is a type, but a bad one.
bool read_type_into(Message& message, std::string_view raw) {
  if (raw.empty()) return true;
  auto type = read_type(raw);
  if (!type) return false;
  message.is_end = *type == kEndType;
  const bool is_reserved = *type == "error" || *type == "open" || type->starts_with("weir:");
  if (message.is_end || !is_reserved) message.type = std::move(*type);
  return true;
}

bool read_data_into(Message& message, std::string_view raw) {
  message.has_data = !raw.empty();
  message.data_kind = DataKind::kJson;
  if (!message.has_data) return message.is_end;
  if (raw.front() != '"') {
    message.data = raw;
    return true;
  }
  auto text = decode_string(raw);
  if (!text) return false;  // Half a surrogate pair is no text.
  message.data = std::move(*text);
  message.data_kind = DataKind::kText;
  return true;
}

// Requires valid UTF-8.
std::optional<Message> read_envelope(std::string_view text) {
  const auto raw = scan(text);
  if (!raw) return std::nullopt;
  Message message;
  if (!read_type_into(message, raw->type) || !read_data_into(message, raw->data)) return std::nullopt;
  if (!raw->id.empty()) {
    auto id = decode_string(raw->id);
    if (!id) return std::nullopt;
    if (is_own_id(*id)) message.id = std::move(*id);
  }
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
    message->data = payload;
  }
  message->replaced = replaced;
  return std::move(*message);
}

bool is_json(std::string_view text) {
  JsonScanner scanner(text);
  return !scanner.next_value().empty() && scanner.is_at_end();
}

std::string json_string(std::string_view text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace weir
