#include "proto/sse.h"

#include <gtest/gtest.h>

#include "proto/envelope.h"
#include "proto/event_id.h"
#include "vectors.h"

namespace weir {
namespace {

using std::chrono::milliseconds;

const std::pair<const char*, Form> kNamedForms[] = {
    {"channel", Form::kChannel}, {"events", Form::kEvents}, {"json", Form::kJson}};

TEST(Sse, MessagesComeOutAsTheVectorsSay) {
  const auto vectors = load_document("messages.json");
  const std::string channel = vectors.at("channel");
  for (const auto& vector : vectors.at("vectors")) {
    SCOPED_TRACE(vector.at("name").get<std::string>());
    for (const EnvelopeMode mode : modes_of(vector)) {
      const Message message = parse_payload(bytes_of(vector, "payload"), mode);
      EXPECT_EQ(message.replaced, vector.value("replaced", std::size_t{0}));
      EXPECT_EQ(message.is_end, vector.value("is_end", false));
      const std::string id = format_event_id(vectors.at("epoch").get<std::string>(), vectors.at("sequence"),
                                             message.id, message.is_end);
      const std::string block = encode_message(message, channel, id);
      for (const auto& [name, form] : kNamedForms) {
        EXPECT_EQ(
            encode_form(block, message.data_kind, channel, form, vectors.at("time").get<std::uint64_t>()),
            vector.at("blocks").at(name).get<std::string>());
      }
    }
  }
}

GapReason reason_named(const std::string& name) {
  for (std::size_t i = 0; i < kGapReasons; ++i) {
    if (name == gap_reason_name(static_cast<GapReason>(i))) return static_cast<GapReason>(i);
  }
  throw std::runtime_error("no reason of a gap: " + name);
}

std::string encode_gateway_event(const nlohmann::json& vector) {
  if (vector.contains("gap")) {
    const auto& gap = vector.at("gap");
    std::optional<std::uint64_t> missed;
    if (!gap.at("missed").is_null()) missed = gap.at("missed").get<std::uint64_t>();
    return encode_gap(gap.at("channel").get<std::string>(), missed, reason_named(gap.at("reason")));
  }
  if (vector.contains("live")) return encode_live(vector.at("live").at("replayed"));
  if (vector.contains("bus")) return encode_bus_state(vector.at("bus").at("state") == "up");
  if (vector.contains("token_expiring"))
    return encode_token_expiring(vector.at("token_expiring").at("expires"));
  const auto& overloaded = vector.at("overloaded");
  return encode_overloaded(overloaded.at("reason").get<std::string>(),
                           milliseconds(overloaded.at("retry").get<int>()));
}

TEST(Sse, GatewayEventsComeOutAsTheVectorsSay) {
  for (const auto& vector : load_vectors("gateway_events.json")) {
    EXPECT_EQ(encode_gateway_event(vector), vector.at("block").get<std::string>()) << vector.at("name");
  }
}

TEST(Sse, GatewayEventsAreTheSameInEveryForm) {
  for (const std::string& block :
       {encode_gap("news", 3, GapReason::kHistory), encode_live(2), encode_bus_state(false),
        encode_token_expiring(1'795'651'200), encode_overloaded("full", milliseconds(10'000))}) {
    for (const auto& [name, form] : kNamedForms) {
      EXPECT_EQ(encode_form(block, DataKind::kJson, "news", form), block) << name;
    }
  }
}

TEST(Sse, ChunksComeOutAsTheVectorsSayAndBack) {
  for (const auto& vector : load_vectors("chunks.json")) {
    const std::string block = vector.at("block");
    const std::string chunk = vector.at("chunk");
    EXPECT_EQ(encode_chunk(block), chunk) << vector.at("name");
    EXPECT_EQ(block_of_chunk(chunk), block) << vector.at("name");
  }
}

TEST(Sse, BlocksAreTakenApartAgain) {
  const DecodedEvent event = decode_block(encode_block(
      {.id = "gabcd1234.7", .type = " a: b", .data = " x\r\n\r:y\n", .retry = milliseconds(2'500)}));
  EXPECT_EQ(event.id, "gabcd1234.7");
  EXPECT_EQ(event.type, " a: b");
  EXPECT_EQ(event.data, " x\n\n:y\n");
  EXPECT_EQ(event.retry, milliseconds(2'500));
  const DecodedEvent empty = decode_block(encode_block({}));
  EXPECT_EQ(empty.id + empty.type + empty.data, "");
  EXPECT_EQ(empty.retry, std::nullopt);
}

TEST(Sse, RetryIsOverwrittenInPlace) {
  std::string block = encode_block({.id = "1", .type = {}, .data = "a", .retry = milliseconds(2'500)});
  write_retry_digits(block.data() + kRetryOffset, milliseconds(31'007));
  EXPECT_EQ(block, "retry: 31007\ndata: a\nid: 1\n\n");
  write_retry_digits(block.data() + kRetryOffset, milliseconds(-1));
  EXPECT_EQ(block, "retry: 00000\ndata: a\nid: 1\n\n");
  write_retry_digits(block.data() + kRetryOffset, milliseconds(100'000));
  EXPECT_EQ(block, "retry: 99999\ndata: a\nid: 1\n\n");
}

TEST(Sse, EndThatTheGatewayMakesItselfNeedsNoData) {
  const Message end{.data = {}, .type = {}, .id = {}, .retry = {}, .is_end = true, .has_data = false};
  const std::string block = encode_message(end, "news", "gabcd1234.7~end");
  EXPECT_EQ(block, "event: weir:end\ndata: {\"channel\":\"news\"}\nid: gabcd1234.7~end\n\n");
  EXPECT_EQ(encode_form(block, end.data_kind, "news", Form::kEvents), block);
  EXPECT_EQ(encode_form(block, end.data_kind, "news", Form::kJson), block);
}

TEST(Sse, MessageWithoutAnIdHasNoneInAnyForm) {
  Message message;
  message.data = "aaa";
  const std::string block = encode_message(message, "news", "");
  EXPECT_EQ(block, "data: aaa\n\n");
  EXPECT_EQ(encode_form(block, message.data_kind, "news", Form::kEvents), "event: news\ndata: aaa\n\n");
  EXPECT_EQ(encode_form(block, message.data_kind, "news", Form::kJson),
            "data: {\"channel\":\"news\",\"data\":\"aaa\"}\n\n");
}

TEST(Sse, AMessageOfOneLineCountsAsManyBytesAsItHasAndEachFurtherLineItsField) {
  Message message;
  EXPECT_EQ(encoded_bytes(message), 0U);
  message.data = "0123456789";
  EXPECT_EQ(encoded_bytes(message), 10U);
  message.type = "price";
  EXPECT_EQ(encoded_bytes(message), 15U);
  const std::size_t one_line = encode_message(message, "news", "").size();
  for (const char* data : {"\n", "\r", "\r\n", "a\nb", "\n\r\n\r", "a\n", "\n\n\n\n\n\n\n\n"}) {
    message.data = data;
    EXPECT_EQ(encode_message(message, "news", "").size() - encoded_bytes(message), one_line - 15) << data;
    EXPECT_LE(encoded_bytes(message) - 5, kEncodedBytesPerByte * message.data.size()) << data;
  }
}

TEST(Sse, ManyLineBreaksAreEncodedLineByLine) {
  constexpr std::size_t kBreaks = 1 << 18;
  for (const std::string line_break : {"\n", "\r", "\r\n"}) {
    std::string data;
    for (std::size_t i = 0; i < kBreaks; ++i) data += line_break;
    const std::string block = encode_block({.id = {}, .type = {}, .data = data, .retry = {}});
    EXPECT_EQ(block.size(), (kBreaks + 1) * std::string_view("data: \n").size() + 1);
    EXPECT_EQ(decode_block(block).data, std::string(kBreaks, '\n'));
  }
}

}  // namespace
}  // namespace weir
