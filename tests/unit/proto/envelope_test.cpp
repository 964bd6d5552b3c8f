#include "proto/envelope.h"

#include <gtest/gtest.h>

#include "vectors.h"

namespace weir {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMegabyte = 1 << 20;

Message parse(std::string_view payload) { return parse_payload(payload, EnvelopeMode::kAuto); }

TEST(Envelope, KindOfDataSaysHowItMayBeEmbedded) {
  EXPECT_EQ(parse(R"({"msg":1})").data_kind, DataKind::kPayload);
  EXPECT_EQ(parse(R"({"data":{"msg":1}})").data_kind, DataKind::kJson);
  EXPECT_EQ(parse(R"({"data":"1"})").data_kind, DataKind::kText);
}

TEST(Envelope, CountsWhatWasNotUtf8) {
  const Message message = parse("{\"data\":\"a\xff\xfe\"}");
  EXPECT_EQ(message.replaced, 2u);
  EXPECT_EQ(message.data, "a\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(message.data_kind, DataKind::kText);
  EXPECT_EQ(parse("a\xff").replaced, 1u);
  EXPECT_EQ(parse("aaa").replaced, 0u);
}

TEST(Envelope, OfAnEndMayLeaveItsDataOut) {
  const Message without = parse(R"({"type":"weir:end"})");
  EXPECT_TRUE(without.is_end);
  EXPECT_FALSE(without.has_data);
  const Message with = parse(R"({"type":"weir:end","data":null})");
  EXPECT_TRUE(with.is_end);
  EXPECT_TRUE(with.has_data);
  EXPECT_EQ(with.data, "null");
}

TEST(Envelope, ClampsTheReconnectionTime) {
  EXPECT_EQ(parse(R"({"data":1,"retry":0})").retry, milliseconds(1'000));
  EXPECT_EQ(parse(R"({"data":1,"retry":1000})").retry, milliseconds(1'000));
  EXPECT_EQ(parse(R"({"data":1,"retry":60000})").retry, milliseconds(60'000));
  EXPECT_EQ(parse(R"({"data":1,"retry":18446744073709551615})").retry, milliseconds(60'000));
  EXPECT_EQ(parse(R"({"data":1})").retry, std::nullopt);
}

TEST(Envelope, ThatIsNearlyOneLeavesNothingBehind) {
  const std::string payload = R"({"type":"weir:end","id":"a","data":"text","retry":-1})";
  const Message message = parse(payload);
  EXPECT_EQ(message.data, payload);
  EXPECT_EQ(message.data_kind, DataKind::kPayload);
  EXPECT_EQ(message.type, "");
  EXPECT_EQ(message.id, "");
  EXPECT_FALSE(message.retry);
  EXPECT_FALSE(message.is_end);
}

TEST(Envelope, WhoseTypeHoldsALineEndOfUnicodeIsNone) {
  for (const char* end : {"\u0085", "\u2028", "\u2029", "\\u0085", "\\u2028", "\\u2029"}) {
    const std::string payload = std::string(R"({"data":1,"type":"t)") + end + R"(id: x"})";
    EXPECT_EQ(parse(payload).type, "") << payload;
    EXPECT_EQ(parse(payload).data, payload);
  }
  EXPECT_EQ(parse("{\"data\":1,\"type\":\"\u00e9\u2027\"}").type, "\u00e9\u2027");
}

TEST(Envelope, OfDeepNestingIsReadWithoutRecursion) {
  const std::string data = std::string(kMegabyte / 2, '[') + std::string(kMegabyte / 2, ']');
  const Message message = parse("{\"data\":" + data + "}");
  EXPECT_EQ(message.data_kind, DataKind::kJson);
  EXPECT_EQ(message.data, data);
  const std::string unclosed = "{\"data\":" + std::string(kMegabyte, '[');
  EXPECT_EQ(parse(unclosed).data, unclosed);
}

TEST(Envelope, OfAMegabyteComesOutWhole) {
  const std::string text(kMegabyte, 'x');
  EXPECT_EQ(parse(text).data, text);
  EXPECT_EQ(parse("{\"data\":\"" + text + "\"}").data, text);
  EXPECT_EQ(parse("{\"data\":[\"" + text + "\"]}").data, "[\"" + text + "\"]");
}

TEST(Envelope, CutAnywhereIsDeliveredAsItIs) {
  const std::string whole = R"( {"data":{"a":[1,"x\"\u00e9"]},"type":"t\n","id":"\u0031","retry":2000})";
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    const std::string cut = whole.substr(0, bytes);
    EXPECT_EQ(parse(cut).data, cut);
  }
}

TEST(JsonString, IsReadBackAsTheText) {
  std::string all;
  for (int c = 0; c < 0x80; ++c) all += static_cast<char>(c);
  for (const std::string& text : {all, std::string(), std::string("é🎉\u2028")}) {
    EXPECT_EQ(nlohmann::json::parse(json_string(text)).get<std::string>(), text);
  }
  EXPECT_EQ(json_string("a\n\"b\""), R"("a\n\"b\"")");
}

}  // namespace
}  // namespace weir
