// What a reader that knows the standard alone sees of messages: each is one event, and nothing that a
// publisher sends becomes a field, an id or an event of its own.
#include <gtest/gtest.h>

#include <random>

#include "event_stream_parser.h"
#include "proto/envelope.h"
#include "proto/event_id.h"
#include "proto/sse.h"
#include "vectors.h"

namespace weir {
namespace {

constexpr std::string_view kChannel = "user:42";

std::string id_of(const Message& message) {
  return format_event_id("abcd1234", 7, message.id, message.is_end);
}

std::string expected_type(const Message& message, Form form) {
  if (message.is_end) return "weir:end";
  if (form == Form::kJson) return "message";
  if (form == Form::kChannel) return message.type.empty() ? "message" : message.type;
  return std::string(kChannel) + (message.type.empty() ? "" : "/" + message.type);
}

// What is embedded in the JSON form and in the data of ends: the text, or the value that it is the JSON of.
nlohmann::json expected_value(const Message& message) {
  const std::string data = with_lf_only(message.data);
  const bool is_value =
      message.data_kind == DataKind::kJson || (message.data_kind == DataKind::kPayload && is_json(data));
  return is_value ? nlohmann::json::parse(data) : nlohmann::json(data);
}

void expect_data(const Message& message, Form form, const std::string& data) {
  if (form == Form::kChannel || (form == Form::kEvents && !message.is_end)) {
    if (message.has_data) {
      EXPECT_EQ(data, with_lf_only(message.data));
    }
    return;
  }
  if (!nlohmann::json::accept(data)) {  // Half a surrogate pair and 1e999 are JSON, but not to that library.
    ASSERT_TRUE(is_json(data) && is_json(message.data));
    EXPECT_TRUE(data.ends_with(",\"data\":" + message.data + "}"));
    return;
  }
  nlohmann::json expected = {{"channel", kChannel}};
  if (message.has_data) expected["data"] = expected_value(message);
  if (!message.is_end) {
    expected["id"] = id_of(message);
    if (!message.type.empty()) expected["type"] = message.type;
  }
  EXPECT_EQ(nlohmann::json::parse(data), expected);
}

// `payload`, sent between two other messages, is one event of the right type, id and data, in every form.
void expect_one_event(std::string_view payload, EnvelopeMode mode) {
  const Message message = parse_payload(payload, mode);
  const std::string block = encode_message(message, kChannel, id_of(message));
  for (const Form form : {Form::kChannel, Form::kEvents, Form::kJson}) {
    const std::string sent = encode_form(block, message.data_kind, kChannel, form);
    ASSERT_TRUE(is_utf8(sent));
    const EventStream stream = parse_event_stream("id: 1\ndata: before\n\n" + sent + "data: after\n\n");
    ASSERT_EQ(stream.events.size(), 3u);
    const DispatchedEvent& event = stream.events[1];
    EXPECT_EQ(event.last_event_id, id_of(message));
    EXPECT_EQ(event.type, expected_type(message, form));
    expect_data(message, form, event.data);
    EXPECT_EQ(stream.events[2].data, "after");
    EXPECT_EQ(stream.events[2].type, "message");
    EXPECT_EQ(stream.last_event_id, id_of(message));
    EXPECT_EQ(stream.reconnection_time.has_value(), message.retry.has_value());
    if (message.retry) {
      EXPECT_EQ(stream.reconnection_time, message.retry->count());
    }
    EXPECT_TRUE(stream.comments.empty());
    EXPECT_TRUE(stream.ignored.empty());
  }
}

TEST(Stream, OfEveryVectorIsOneEventForAStrictReader) {
  for (const auto& vector : load_vectors("messages.json")) {
    SCOPED_TRACE(vector.at("name").get<std::string>());
    for (const EnvelopeMode mode : modes_of(vector)) expect_one_event(bytes_of(vector, "payload"), mode);
  }
}

using Fragments = std::vector<std::string>;

std::string random_text(std::mt19937& random, const Fragments& fragments, std::size_t fragments_max) {
  std::string text;
  for (std::size_t left = random() % (fragments_max + 1); left > 0; --left) {
    text += fragments[random() % fragments.size()];
  }
  return text;
}

TEST(Stream, TakesNoFieldFromAPayload) {
  const Fragments fragments = {"\n",
                               "\r",
                               "\r\n",
                               "\n\n",
                               "data: x",
                               "id: 9",
                               "event: evil",
                               "retry: 1",
                               ":",
                               " ",
                               "{",
                               "}",
                               "\"",
                               "\"data\":",
                               "1",
                               ",",
                               "\\",
                               "\\n",
                               "\\u000a",
                               "\xff",
                               "\xe2\x80",
                               "\u2028",
                               "🎉",
                               "[",
                               "]",
                               "weir:end",
                               "\xEF\xBB\xBF",
                               std::string("\0", 1),
                               "\"type\":\"weir:end\""};
  std::mt19937 random(1);  // NOLINT: the same payloads each time.
  for (int i = 0; i < 5'000 && !testing::Test::HasFailure(); ++i) {
    const std::string payload = random_text(random, fragments, 12);
    SCOPED_TRACE(nlohmann::json(payload).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
    expect_one_event(payload, EnvelopeMode::kAuto);
  }
}

TEST(Stream, TakesNoFieldFromThePartsOfAnEnvelope) {
  const Fragments fragments = {"\n",         "\r",
                               "\r\n",       "data: x",
                               "id: 9",      "\nevent: evil",
                               "\rretry: 1", ":",
                               " ",          "~end",
                               "end",        "a",
                               "weir:",      "error",
                               "open",       "🎉",
                               "\u0085",     "\x7f",
                               "\x1b[0m",    "\"",
                               "\\",         std::string("\0", 1)};
  std::mt19937 random(2);  // NOLINT: the same payloads each time.
  std::size_t taken = 0;
  for (int i = 0; i < 5'000 && !testing::Test::HasFailure(); ++i) {
    nlohmann::json envelope = {{"data", random_text(random, fragments, 6)}};
    if (random() % 2) envelope["type"] = random_text(random, fragments, 3);
    if (random() % 2) envelope["id"] = random_text(random, fragments, 3);
    if (random() % 2) envelope["retry"] = random() % 100'000;
    const std::string payload = envelope.dump();
    SCOPED_TRACE(payload);
    expect_one_event(payload, EnvelopeMode::kAuto);
    taken += parse_payload(payload, EnvelopeMode::kAuto).data != payload;
  }
  EXPECT_GT(taken, 1'000u);  // Else the envelopes were not read at all.
}

}  // namespace
}  // namespace weir
