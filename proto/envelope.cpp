#include "proto/envelope.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>

#include "proto/event_id.h"

namespace weir {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;

constexpr milliseconds kRetryMin{1'000};
constexpr milliseconds kRetryMax{60'000};
constexpr std::string_view kJsonSpace = " \t\n\r";
constexpr std::string_view kEndType = "weir:end";

// The raw values of an object that has no other keys, each as it was written; no data where the key is
// missing.
struct RawEnvelope {
  std::string_view data;
  std::string_view id;
  std::string_view type;
  std::string_view retry;
};

// The text of a JSON string, quotes included; nullopt if it is not one.
std::optional<std::string> decode_string(std::string_view raw) {
  if (raw.size() < 2 || raw.front() != '"') return std::nullopt;
  const std::string_view inside = raw.substr(1, raw.size() - 2);
  // Without an escape it is what it says: most keys, types and ids.
  if (raw.back() == '"' && inside.find_first_of("\"\\") == std::string_view::npos) return std::string(inside);
  const Json value = Json::parse(raw.begin(), raw.end(), nullptr, false);
  if (!value.is_string()) return std::nullopt;
  return value.get<std::string>();
}

// Walks the top level of an object and finds where its values begin and end. It relies on a validated text
// for what is inside of them, so it may be used before validation but not believed before it.
class TopLevelScanner {
 public:
  explicit TopLevelScanner(std::string_view text) : text_(text) {}

  // Nullopt at the first key that an envelope does not have, or a second time.
  std::optional<RawEnvelope> scan() {
    RawEnvelope envelope;
    if (!take('{')) return std::nullopt;
    do {
      const auto slot = slot_of(next_string(), envelope);
      if (!slot || !slot->empty() || !take(':')) return std::nullopt;
      *slot = next_value();
      if (slot->empty()) return std::nullopt;
    } while (take(','));
    if (!take('}') || skip_space() != text_.size()) return std::nullopt;
    return envelope;
  }

 private:
  std::size_t skip_space() {
    position_ = std::min(text_.find_first_not_of(kJsonSpace, position_), text_.size());
    return position_;
  }

  bool take(char c) {
    if (skip_space() == text_.size() || text_[position_] != c) return false;
    ++position_;
    return true;
  }

  std::string_view* slot_of(std::string_view raw_key, RawEnvelope& envelope) {
    const auto key = decode_string(raw_key);
    if (!key) return nullptr;
    if (*key == "data") return &envelope.data;
    if (*key == "id") return &envelope.id;
    if (*key == "type") return &envelope.type;
    if (*key == "retry") return &envelope.retry;
    return nullptr;
  }

  // Quotes included; empty if there is none or it does not end.
  std::string_view next_string() {
    const std::size_t begin = skip_space();
    if (begin == text_.size() || text_[begin] != '"') return {};
    skip_string();
    return text_.substr(begin, position_ - begin);
  }

  std::string_view next_value() {
    const std::size_t begin = skip_space();
    std::size_t depth =
        0;  // Counted, not recursed into: the nesting of a payload is bounded by its size only.
    while (position_ < text_.size()) {
      const char c = text_[position_];
      if (depth == 0 && (c == ',' || c == '}' || c == ']' || kJsonSpace.find(c) != std::string_view::npos))
        break;
      if (c == '"') {
        skip_string();
      } else {
        if (c == '{' || c == '[') ++depth;
        if (c == '}' || c == ']') --depth;
        ++position_;
      }
    }
    return text_.substr(begin, position_ - begin);
  }

  void skip_string() {
    for (++position_; position_ < text_.size(); ++position_) {
      if (text_[position_] == '\\') {
        ++position_;
      } else if (text_[position_] == '"') {
        ++position_;
        return;
      }
    }
    position_ = text_.size();  // An escape at the very end has stepped over it.
  }

  std::string_view text_;
  std::size_t position_ = 0;
};

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
  if (auto text = decode_string(raw)) {
    message.data = std::move(*text);
    message.data_kind = DataKind::kText;
  } else {
    message.data = raw;
  }
  return true;
}

// Requires valid UTF-8.
std::optional<Message> read_envelope(std::string_view text) {
  // The scanner first: of plain JSON it reads the first key only, or not even a brace.
  const auto raw = TopLevelScanner(text).scan();
  if (!raw || !is_json(text)) return std::nullopt;
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
  // nlohmann/json takes a NUL for the end of the text and skips a byte order mark.
  if (text.find('\0') != std::string_view::npos || text.starts_with("\xEF\xBB\xBF")) return false;
  return Json::accept(text.begin(), text.end());
}

std::string json_string(std::string_view text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace weir
