#include "proto/sse.h"

#include <algorithm>
#include <cassert>
#include <charconv>

#include "proto/envelope.h"
#include "proto/sse_lines.h"

namespace weir {
namespace {

constexpr std::string_view kRetryField = "retry: ";
constexpr std::string_view kIdField = "id: ";
constexpr std::string_view kTypeField = "event: ";
constexpr std::string_view kEndType = "weir:end";
constexpr std::string_view kCrlf = "\r\n";
static_assert(kRetryField.size() == kRetryOffset);

[[maybe_unused]] bool fits_one_line(std::string_view text) {
  return text.find('\r') == text.npos && text.find('\n') == text.npos && text.find('\0') == text.npos;
}

void append_field(std::string& block, std::string_view field, std::string_view value) {
  block += field;
  block += value;
  block += '\n';
}

std::string channel_object(std::string_view channel) { return "{\"channel\":" + json_string(channel) + '}'; }

// The data of a channel's end for a stream that may carry other channels, too.
std::string end_object(std::string_view data, DataKind kind, std::string_view channel) {
  std::string without_data = channel_object(channel);
  if (kind != DataKind::kText && data == without_data) return without_data;
  return "{\"channel\":" + json_string(channel) + ",\"data\":" + data_as_json(data, kind) + '}';
}

std::string message_object(const DecodedEvent& event, DataKind kind, std::string_view channel,
                           std::uint64_t time) {
  std::string object = "{\"channel\":" + json_string(channel);
  if (!event.type.empty()) object += ",\"type\":" + json_string(event.type);
  if (!event.id.empty()) object += ",\"id\":" + json_string(event.id);
  if (time != 0) object += ",\"time\":" + std::to_string(time);
  return object + ",\"data\":" + data_as_json(event.data, kind) + '}';
}

std::string type_in_events(std::string_view type, std::string_view channel) {
  std::string full(channel);
  if (!type.empty()) full.append("/").append(type);
  return full;
}

}  // namespace

std::string encode_block(const Event& event) {
  assert(fits_one_line(event.id) && fits_one_line(event.type));
  const Lines lines = count_lines(event.data);
  std::size_t bytes = data_lines_bytes(lines) + kDataLinesSlack + 1;
  if (event.retry) bytes += kRetryField.size() + kRetryDigits + 1;
  if (!event.id.empty()) bytes += kIdField.size() + event.id.size() + 1;
  if (!event.type.empty()) bytes += kTypeField.size() + event.type.size() + 1;

  std::string block;
  block.reserve(bytes);
  if (event.retry) {
    char digits[kRetryDigits];
    write_retry_digits(digits, *event.retry);
    append_field(block, kRetryField, {digits, kRetryDigits});
  }
  if (!event.type.empty()) append_field(block, kTypeField, event.type);
  append_data_lines(block, event.data, lines);
  if (!event.id.empty()) append_field(block, kIdField, event.id);
  block += '\n';
  return block;
}

void write_retry_digits(char* digits, std::chrono::milliseconds retry) {
  auto left = std::clamp<std::chrono::milliseconds::rep>(retry.count(), 0, 99'999);
  for (std::size_t i = kRetryDigits; i-- > 0; left /= 10) digits[i] = static_cast<char>('0' + left % 10);
}

std::size_t encoded_bytes(const Message& message) {
  const Lines lines = count_lines(message.data);
  return message.type.size() + lines.bytes + (lines.count - 1) * (kDataField.size() + 1);
}

std::string encode_chunk(std::string_view block) {
  assert(!block.empty());  // An empty chunk would end the stream.
  char digits[16];
  const auto end_of_digits = std::to_chars(std::begin(digits), std::end(digits), block.size(), 16).ptr;
  const std::string_view length(digits, static_cast<std::size_t>(end_of_digits - digits));
  std::string chunk;
  chunk.reserve(length.size() + kCrlf.size() + block.size() + kCrlf.size());
  chunk.append(length).append(kCrlf).append(block).append(kCrlf);
  return chunk;
}

std::string_view block_of_chunk(std::string_view chunk) {
  const std::size_t begin = chunk.find(kCrlf) + kCrlf.size();
  assert(chunk.size() >= begin + kCrlf.size() && chunk.ends_with(kCrlf));
  return chunk.substr(begin, chunk.size() - kCrlf.size() - begin);
}

DecodedEvent decode_block(std::string_view block) {
  DecodedEvent event;
  bool has_data = false;
  while (!block.empty()) {
    const std::size_t end = std::min(block.find('\n'), block.size());
    std::string_view line = block.substr(0, end);
    block.remove_prefix(std::min(end + 1, block.size()));
    const auto take = [&line](std::string_view field) {
      if (!line.starts_with(field)) return false;
      line.remove_prefix(field.size());
      return true;
    };
    if (take(kDataField)) {
      if (has_data) event.data += '\n';
      event.data += line;
      has_data = true;
    } else if (take(kIdField)) {
      event.id = line;
    } else if (take(kTypeField)) {
      event.type = line;
    } else if (take(kRetryField)) {
      std::chrono::milliseconds::rep retry = 0;
      std::from_chars(line.data(), line.data() + line.size(), retry);
      event.retry = std::chrono::milliseconds(retry);
    }
  }
  return event;
}

std::string encode_message(const Message& message, std::string_view channel, std::string_view id) {
  const std::string default_data = message.has_data ? std::string() : channel_object(channel);
  return encode_block({.id = id,
                       .type = message.is_end ? kEndType : std::string_view(message.type),
                       .data = message.has_data ? std::string_view(message.data) : default_data,
                       .retry = message.retry});
}

std::string encode_form(std::string_view channel_block, DataKind kind, std::string_view channel, Form form,
                        std::uint64_t time) {
  if (form == Form::kChannel) return std::string(channel_block);
  DecodedEvent event = decode_block(channel_block);
  if (event.type == kEndType) {
    event.data = end_object(event.data, kind, channel);
  } else if (event.type.starts_with("weir:")) {
    return std::string(channel_block);
  } else if (form == Form::kEvents) {
    event.type = type_in_events(event.type, channel);
  } else {
    event.data = message_object(event, kind, channel, time);
    event.type.clear();
  }
  return encode_block({.id = event.id, .type = event.type, .data = event.data, .retry = event.retry});
}

std::string data_as_json(std::string_view data, DataKind kind) {
  const bool is_raw = kind == DataKind::kJson || (kind == DataKind::kPayload && is_json(data));
  return is_raw ? std::string(data) : json_string(data);
}

const char* gap_reason_name(GapReason reason) {
  switch (reason) {
    case GapReason::kSlowClient:
      return "slow-client";
    case GapReason::kBusDown:
      return "bus-down";
    case GapReason::kHistory:
      return "history";
    case GapReason::kMemory:
      return "memory";
    case GapReason::kTooLarge:
      return "too-large";
    case GapReason::kReset:
      return "reset";
  }
  assert(false);
  return "";
}

std::string encode_gap(std::string_view channel, std::optional<std::uint64_t> missed, GapReason reason) {
  std::string data = "{\"channel\":" + json_string(channel) + ",\"missed\":";
  data += missed ? std::to_string(*missed) : "null";
  data.append(",\"reason\":\"").append(gap_reason_name(reason)).append("\"}");
  return encode_block({.id = {}, .type = "weir:gap", .data = data, .retry = {}});
}

std::string encode_live(std::uint64_t replayed) {
  const std::string data = "{\"replayed\":" + std::to_string(replayed) + '}';
  return encode_block({.id = {}, .type = "weir:live", .data = data, .retry = {}});
}

std::string encode_bus_state(bool is_up) {
  const std::string_view data = is_up ? R"({"state":"up"})" : R"({"state":"down"})";
  return encode_block({.id = {}, .type = "weir:bus", .data = data, .retry = {}});
}

std::string encode_token_expiring(std::uint64_t expires) {
  const std::string data = "{\"expires\":" + std::to_string(expires) + '}';
  return encode_block({.id = {}, .type = "weir:token-expiring", .data = data, .retry = {}});
}

std::string encode_overloaded(std::string_view reason, std::chrono::milliseconds retry) {
  const std::string data = "{\"reason\":" + json_string(reason) + '}';
  return encode_block({.id = {}, .type = "weir:overloaded", .data = data, .retry = retry});
}

}  // namespace weir
