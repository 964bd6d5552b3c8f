#include "broker/bus/stream_entry.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <span>
#include <string_view>
#include <utility>

#include "proto/envelope.h"
#include "redis/redis_reply.h"

namespace weir {
namespace {

using Fields = std::span<redisReply* const>;  // field, value, field, value, ...

// A birth is a time in ms and six digits more (redis/weir.lua).
constexpr std::uint64_t kBirthMarks = 1'000'000;

bool is_text(const redisReply& reply) { return reply.type == REDIS_REPLY_STRING; }

const redisReply* last_value_of(Fields fields, std::string_view name) {
  for (std::size_t i = fields.size(); i >= 2; i -= 2) {
    if (text_of(*fields[i - 2]) == name && is_text(*fields[i - 2])) return fields[i - 1];
  }
  return nullptr;
}

std::optional<std::uint64_t> number_of(const redisReply* reply) {
  if (reply == nullptr) return std::nullopt;
  const std::string_view text = text_of(*reply);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Returns nullopt if the object is longer than `bytes_max`.
std::optional<std::string> object_of(Fields fields, std::size_t bytes_max) {
  std::map<std::string_view, std::size_t> last;  // Where each name stands last.
  for (std::size_t i = 0; i < fields.size(); i += 2) {
    if (!is_text(*fields[i]) || !is_text(*fields[i + 1])) return std::nullopt;
    last[text_of(*fields[i])] = i;
  }
  std::string object = "{";
  for (std::size_t i = 0; i < fields.size(); i += 2) {
    const std::string_view name = text_of(*fields[i]);
    if (last[name] != i) continue;
    if (object.size() > 1) object += ',';
    object.append(json_string(name)).append(":").append(json_string(text_of(*fields[i + 1])));
    if (object.size() >= bytes_max) return std::nullopt;
  }
  object += '}';
  return object;
}

// Sets the payload of `entry` to the text of `value`. A missing field is an empty text.
void set_payload(StreamEntry& entry, const redisReply* value, std::size_t bytes_max) {
  if (value == nullptr) return;
  entry.is_too_large = !is_text(*value) || value->len + entry.type.size() > bytes_max;
  if (!entry.is_too_large) entry.payload = text_of(*value);
}

void read_durable(StreamEntry& entry, Fields fields, std::size_t bytes_max) {
  entry.time = number_of(last_value_of(fields, "t")).value_or(entry.id.ms / kBirthMarks);
  set_payload(entry, last_value_of(fields, "p"), bytes_max);
}

void read_followed(StreamEntry& entry, Fields fields, const StreamSource& source, std::size_t bytes_max) {
  entry.time = entry.id.ms;
  const redisReply* const type = source.data_field == "type" ? nullptr : last_value_of(fields, "type");
  if (type != nullptr) {
    entry.is_too_large = !is_text(*type) || type->len > bytes_max;
    if (entry.is_too_large) return;
    entry.type = text_of(*type);
  }
  if (const redisReply* const data = last_value_of(fields, source.data_field)) {
    return set_payload(entry, data, bytes_max);
  }
  auto object = object_of(fields, bytes_max - entry.type.size());
  entry.is_too_large = !object;
  if (object) entry.payload = *std::move(object);
}

// Without fields: there were too many of them.
bool is_discarded(const redisReply& entry) { return entry.element[1]->type == REDIS_REPLY_NIL; }

bool is_entry(const redisReply& reply) {
  if (reply.type != REDIS_REPLY_ARRAY || reply.elements != 2 || !is_text(*reply.element[0])) return false;
  const redisReply& fields = *reply.element[1];
  return is_discarded(reply) || (fields.type == REDIS_REPLY_ARRAY && fields.elements % 2 == 0);
}

Fields fields_of(const redisReply& entry) { return {entry.element[1]->element, entry.element[1]->elements}; }

}  // namespace

std::optional<StreamEntry> stream_entry_of(const redisReply& reply, const StreamSource& source,
                                           std::size_t bytes_max) {
  if (!is_entry(reply)) return std::nullopt;
  const auto id = parse_stream_id(text_of(*reply.element[0]));
  if (!id) return std::nullopt;
  StreamEntry entry;
  entry.id = *id;
  if (is_discarded(reply)) {
    const bool is_durable = source.kind == StreamSource::Kind::kDurable;
    entry.time = is_durable ? id->ms / kBirthMarks : id->ms;
    entry.is_too_large = true;
  } else if (source.kind == StreamSource::Kind::kDurable) {
    read_durable(entry, fields_of(reply), bytes_max);
  } else {
    read_followed(entry, fields_of(reply), source, bytes_max);
  }
  if (entry.is_too_large) entry.type.clear();
  return entry;
}

std::optional<std::vector<StreamEntry>> stream_entries_of(const redisReply& reply, const StreamSource& source,
                                                          std::size_t bytes_max) {
  std::vector<StreamEntry> entries;
  if (reply.type == REDIS_REPLY_NIL) return entries;
  if (reply.type != REDIS_REPLY_ARRAY) return std::nullopt;
  entries.reserve(reply.elements);
  for (std::size_t i = 0; i < reply.elements; ++i) {
    auto entry = stream_entry_of(*reply.element[i], source, bytes_max);
    if (!entry) return std::nullopt;
    entries.push_back(*std::move(entry));
  }
  return entries;
}

std::size_t stream_entry_bytes(const redisReply& reply) {
  if (!is_entry(reply)) return 0;
  std::size_t bytes = 0;
  for (const redisReply* const word : fields_of(reply)) bytes += word->len;
  return bytes;
}

std::size_t largest_stream_entry(const redisReply& entries) {
  std::size_t largest = 0;
  for (std::size_t i = 0; i < entries.elements; ++i) {
    largest = std::max(largest, stream_entry_bytes(*entries.element[i]));
  }
  return largest;
}

std::optional<StreamNews> stream_news_of(const redisReply& reply, std::size_t element) {
  if (reply.type != REDIS_REPLY_ARRAY || element >= reply.elements) return std::nullopt;
  const redisReply& news = *reply.element[element];
  const bool is_news = news.type == REDIS_REPLY_ARRAY && news.elements == 2 && is_text(*news.element[0]);
  if (!is_news) return std::nullopt;
  return StreamNews{text_of(*news.element[0]), news.element[1]};
}

}  // namespace weir
