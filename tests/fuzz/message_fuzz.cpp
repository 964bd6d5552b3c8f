// Encodes a payload in every form, and parses the stream with code that knows the standard and nothing of our
// encoder. Claims that a client dispatches the same message, whatever the payload holds.
#include <cassert>
#include <nlohmann/json.hpp>
#include <string>

#include "broker/http/chunk_decoder.h"
#include "broker/log/frame.h"
#include "fuzz_input.h"
#include "proto/channel_name.h"
#include "proto/envelope.h"
#include "proto/event_id.h"
#include "proto/sse.h"
#include "proto/utf8.h"
#include "tests/unit/proto/event_stream_parser.h"

namespace weir {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;

constexpr std::string_view kChannels[] = {"news", "user:42", "a", "-._:@-", "weir"};
constexpr Form kAllForms[] = {Form::kChannel, Form::kEvents, Form::kJson};

std::string repaired(std::string_view payload) {
  std::string text(payload);
  replace_invalid_utf8(text);
  return text;
}

void check_message(const Message& message, std::string_view payload, EnvelopeMode mode) {
  assert(is_utf8(message.data) && is_utf8(message.type));
  assert((message.replaced > 0) == !is_utf8(payload));
  for (const char c : message.type) assert(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  assert(message.type != "error" && message.type != "open");
  assert(message.is_end == (message.type == "weir:end") || message.type.empty());
  assert(!message.type.starts_with("weir:") || message.is_end);
  assert(message.id.empty() || is_own_id(message.id));
  assert(!message.retry || (*message.retry >= milliseconds(1'000) && *message.retry <= milliseconds(60'000)));
  assert(message.has_data || message.is_end);
  if (message.data_kind == DataKind::kPayload) assert(message.data == repaired(payload));
  if (message.data_kind == DataKind::kJson && message.has_data) assert(is_json(message.data));
  if (mode == EnvelopeMode::kNever) assert(message.data_kind == DataKind::kPayload && message.type.empty());
}

// Returns the only event of `block`, as an EventSource dispatches it.
DispatchedEvent dispatched(const std::string& block, const std::string& id, const Message& message) {
  const EventStream stream = parse_event_stream(block);
  assert(stream.events.size() == 1 && stream.ignored.empty() && stream.comments.empty());
  assert(stream.last_event_id == id && stream.events[0].last_event_id == id);
  assert(stream.reconnection_time.has_value() == message.retry.has_value());
  if (message.retry) assert(*stream.reconnection_time == message.retry->count());
  return stream.events[0];
}

void check_json_form(const DispatchedEvent& event, const Message& message, const std::string& channel,
                     const std::string& id) {
  assert(is_json(event.data));
  const Json object = Json::parse(event.data, nullptr, false);
  if (object.is_discarded()) {  // Data that the other parser can't hold: 1e999, half a surrogate pair.
    assert(message.data_kind != DataKind::kText);
    return;
  }
  assert(object.at("channel") == channel);
  if (message.is_end) {
    assert(event.type == "weir:end");
    return;
  }
  assert(event.type == "message" && object.at("id") == id);
  assert(object.contains("type") == !message.type.empty());
  if (!message.type.empty()) assert(object.at("type") == message.type);
  const std::string data = with_lf_only(message.data);
  const bool is_text =
      message.data_kind == DataKind::kText || (message.data_kind == DataKind::kPayload && !is_json(data));
  assert(object.at("data") == (is_text ? Json(data) : Json::parse(data)));
}

void check_form(Form form, const std::string& block, const Message& message, const std::string& channel,
                const std::string& id) {
  const DispatchedEvent event = dispatched(block, id, message);
  if (form == Form::kJson) return check_json_form(event, message, channel, id);
  if (message.is_end) {
    assert(event.type == "weir:end");
    return;
  }
  const std::string type = message.type.empty() ? "message" : message.type;
  const std::string in_events = channel + (message.type.empty() ? "" : "/" + message.type);
  assert(event.type == (form == Form::kEvents ? in_events : type));
  assert(event.data == with_lf_only(message.data));
}

// The chunk holds the block and nothing else. Our own decoder of chunks agrees.
void check_chunk(const std::string& chunk, const std::string& block) {
  assert(block_of_chunk(chunk) == block);
  ChunkDecoder decoder;
  std::string body;
  const std::string whole = chunk + std::string(kLastChunk);
  assert(decoder.feed(whole, body, whole.size()) == whole.size());
  assert(decoder.state() == ChunkDecoder::State::kDone && body == block);
}

void check_frame(const Message& message, const std::string& channel, const std::string& id) {
  const auto bytes = std::make_shared<FrameBytes>();
  {
    const auto frame = Frame::of_message(message, channel, id, bytes);
    const std::string block = encode_message(message, channel, id);
    assert(bytes->total() >= frame->bytes() && frame->has_retry() == message.retry.has_value());
    for (const Form form : kAllForms) {
      const std::string expected = encode_form(block, message.data_kind, channel, form);
      std::string chunk(frame->chunk(form, channel));
      check_form(form, expected, message, channel, id);
      check_chunk(chunk, expected);
      if (!frame->has_retry()) continue;
      // Writing a client's own time over the shared one moves no byte.
      write_retry_digits(chunk.data() + Frame::retry_offset(chunk), milliseconds(31'415));
      Message jittered = message;
      jittered.retry = milliseconds(31'415);
      check_form(form, std::string(block_of_chunk(chunk)), jittered, channel, id);
    }
  }
  assert(bytes->total() == 0);
}

// A message between the gateway's own events is parsed as it is alone.
void check_stream(const std::string& block, const std::string& channel) {
  const std::string gap = encode_gap(channel, 3, GapReason::kMemory);
  const EventStream stream = parse_event_stream(": hello\n\n" + gap + block + encode_live(1));
  assert(stream.events.size() == 3 && stream.comments.size() == 1 && stream.ignored.empty());
  assert(stream.events[0].type == "weir:gap" && stream.events[2].type == "weir:live");
  const EventStream alone = parse_event_stream(block);
  assert(stream.events[1].data == alone.events[0].data && stream.events[1].type == alone.events[0].type);
}

// Checks the encoder alone, with any id, type and data that have one line each.
void check_block(FuzzInput& input) {
  std::string id(input.until('\n'));
  std::string type(input.until('\n'));
  std::erase_if(id, [](char c) { return c == '\r' || c == '\0'; });
  std::erase_if(type, [](char c) { return c == '\r' || c == '\0'; });
  const std::string_view data = input.rest();
  const std::string block = encode_block({.id = id, .type = type, .data = data, .retry = {}});
  const EventStream stream = parse_event_stream(block);
  assert(stream.events.size() == 1 && stream.ignored.empty());
  assert(stream.last_event_id == id && stream.events[0].data == with_lf_only(data));
  assert(stream.events[0].type == (type.empty() ? "message" : type));
  const DecodedEvent decoded = decode_block(block);
  assert(decoded.id == id && decoded.type == type && decoded.data == with_lf_only(data));
  check_chunk(encode_chunk(block), block);
}

void check_payload(FuzzInput& input) {
  const auto mode = static_cast<EnvelopeMode>(input.choice(3));
  const std::string channel(kChannels[input.choice(std::size(kChannels))]);
  const std::string_view payload = input.rest();
  const Message message = parse_payload(payload, mode);
  check_message(message, payload, mode);
  const std::string id = format_event_id("abcd1234", 7, message.id, message.is_end);
  check_frame(message, channel, id);
  check_stream(encode_message(message, channel, id), channel);
}

}  // namespace
}  // namespace weir

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  weir::FuzzInput input(data, size);
  input.flip() ? weir::check_block(input) : weir::check_payload(input);
  return 0;
}
