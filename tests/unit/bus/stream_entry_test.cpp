#include "broker/bus/stream_entry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "redis/redis_reply.h"

namespace weir {
namespace {

using ::testing::IsEmpty;

constexpr std::size_t kAmple = 1 << 20;
const StreamSource kFollowed{.kind = StreamSource::Kind::kFollowed, .key = "logs", .data_field = "data"};
const StreamSource kDurable{.kind = StreamSource::Kind::kDurable};

struct FreeReader {
  void operator()(redisReader* reader) const { redisReaderFree(reader); }
};

RedisReplyPtr reply_of(const std::string& resp) {
  const std::unique_ptr<redisReader, FreeReader> reader(redisReaderCreate());
  redisReaderFeed(reader.get(), resp.data(), resp.size());
  void* reply = nullptr;
  EXPECT_EQ(redisReaderGetReply(reader.get(), &reply), REDIS_OK);
  EXPECT_NE(reply, nullptr);
  return RedisReplyPtr(static_cast<redisReply*>(reply));
}

std::string bulk(const std::string& text) {
  if (text == "(nil)") return "$-1\r\n";
  return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}

std::string entry_text(const std::string& id, const std::vector<std::string>& words) {
  std::string resp = "*2\r\n" + bulk(id) + "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) resp += bulk(word);
  return resp;
}

// "(nil)" among the words stands for a string that was discarded.
StreamEntry read(const StreamSource& source, const std::vector<std::string>& words,
                 std::size_t bytes_max = kAmple, const std::string& id = "7-3") {
  const auto entry = stream_entry_of(*reply_of(entry_text(id, words)), source, bytes_max);
  EXPECT_TRUE(entry);
  return entry.value_or(StreamEntry{});
}

TEST(StreamEntryTest, AFollowedEntryHasItsPayloadTypeAndTime) {
  const StreamEntry entry = read(kFollowed, {"x", "1", "data", "hello", "type", "token"});
  EXPECT_EQ(entry.id, (StreamId{7, 3}));
  EXPECT_EQ(entry.time, 7U);
  EXPECT_EQ(entry.payload, "hello");
  EXPECT_EQ(entry.type, "token");
  EXPECT_FALSE(entry.is_too_large);
}

TEST(StreamEntryTest, TheFieldOfThePayloadHasTheNameThatWasGiven) {
  StreamSource source = kFollowed;
  source.data_field = "text";
  EXPECT_EQ(read(source, {"data", "a", "text", "b"}).payload, "b");
  source.data_field = "type";
  const StreamEntry entry = read(source, {"type", "b"});
  EXPECT_EQ(entry.payload, "b");
  EXPECT_THAT(entry.type, IsEmpty());
}

TEST(StreamEntryTest, AnEntryWithoutThatFieldIsAnObjectOfItsFieldsInOrder) {
  const StreamEntry entry = read(kFollowed, {"b", "say \"hi\"", "type", "note", "a", "2"});
  EXPECT_EQ(entry.payload, R"({"b":"say \"hi\"","type":"note","a":"2"})");
  EXPECT_EQ(entry.type, "note");
}

TEST(StreamEntryTest, OfARepeatedFieldTheLastOneCounts) {
  EXPECT_EQ(read(kFollowed, {"data", "a", "data", "b"}).payload, "b");
  EXPECT_EQ(read(kFollowed, {"a", "1", "b", "2", "a", "3"}).payload, R"({"b":"2","a":"3"})");
}

TEST(StreamEntryTest, BytesThatAreNoTextStayWhereTheyAreThePayload) {
  EXPECT_EQ(read(kFollowed, {"data", "\xff"}).payload, "\xff");
  EXPECT_EQ(read(kFollowed, {"a", "\xff"}).payload, "{\"a\":\"\xEF\xBF\xBD\"}");
}

TEST(StreamEntryTest, AnEntryThatIsTooLargeKeepsItsIdAndNothingElse) {
  for (const auto& words : std::vector<std::vector<std::string>>{{"data", "12345678"},
                                                                 {"data", "1234", "type", "1234"},
                                                                 {"a", "12"},
                                                                 {"data", "(nil)"},
                                                                 {"a", "(nil)"},
                                                                 {"(nil)", "a"},
                                                                 {"data", "1", "type", "(nil)"}}) {
    const StreamEntry entry = read(kFollowed, words, 7);
    EXPECT_TRUE(entry.is_too_large) << ::testing::PrintToString(words);
    EXPECT_THAT(entry.payload, IsEmpty());
    EXPECT_THAT(entry.type, IsEmpty());
    EXPECT_EQ(entry.id, (StreamId{7, 3}));
  }
  EXPECT_EQ(read(kFollowed, {"data", "1234567"}, 7).payload, "1234567");
  EXPECT_EQ(read(kFollowed, {"a", "1"}, 9).payload, R"({"a":"1"})");
  EXPECT_TRUE(read(kFollowed, {"a", "1"}, 8).is_too_large);
  EXPECT_EQ(read(kFollowed, {"data", "1", "other", "(nil)"}, 7).payload, "1");
}

TEST(StreamEntryTest, AnEntryWhoseFieldsWereDiscardedIsTooLarge) {
  for (const StreamSource& source : {kFollowed, kDurable}) {
    const auto entry = stream_entry_of(*reply_of("*2\r\n" + bulk("3000000-1") + "*-1\r\n"), source, kAmple);
    ASSERT_TRUE(entry);
    EXPECT_TRUE(entry->is_too_large);
    EXPECT_EQ(entry->time, source.kind == StreamSource::Kind::kDurable ? 3U : 3'000'000U);
  }
}

TEST(StreamEntryTest, ADurableEntryHasItsTimeInAField) {
  const std::string id = "1795961157565246913-12";
  const StreamEntry entry = read(kDurable, {"p", R"({"data":1})", "t", "1795961157565"}, kAmple, id);
  EXPECT_EQ(entry.payload, R"({"data":1})");
  EXPECT_EQ(entry.time, 1795961157565U);
  EXPECT_THAT(entry.type, IsEmpty());
  EXPECT_TRUE(read(kDurable, {"p", "12345678", "t", "1"}, 7).is_too_large);
}

TEST(StreamEntryTest, AForgedDurableEntryIsReadAsFarAsItGoes) {
  const StreamEntry entry = read(kDurable, {"t", "soon"}, kAmple, "1795961157565246913-12");
  EXPECT_EQ(entry.time, 1795961157565246913U / 1'000'000U);
  EXPECT_THAT(entry.payload, IsEmpty());
}

TEST(StreamEntryTest, RepliesThatAreNoEntriesAreNone) {
  for (const std::string& resp : {std::string(":1\r\n"), std::string("*0\r\n"), std::string("$-1\r\n"),
                                  "*2\r\n" + bulk("1-1") + ":1\r\n", "*2\r\n" + bulk("1-1") + "$0\r\n\r\n",
                                  entry_text("1-1", {"odd"}), entry_text("1", {"a", "b"})}) {
    EXPECT_FALSE(stream_entry_of(*reply_of(resp), kFollowed, kAmple)) << resp;
  }
}

TEST(StreamEntryTest, AnArrayOfEntriesKeepsItsOrder) {
  const std::string resp =
      "*2\r\n" + entry_text("1-1", {"data", "a"}) + entry_text("1-2", {"data", "b", "x", "yz"});
  const auto reply = reply_of(resp);
  const auto entries = stream_entries_of(*reply, kFollowed, kAmple);
  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 2U);
  EXPECT_EQ((*entries)[0].payload, "a");
  EXPECT_EQ((*entries)[1].payload, "b");
  EXPECT_EQ(stream_entry_bytes(*reply->element[1]), 8U);
  EXPECT_THAT(*stream_entries_of(*reply_of("*-1\r\n"), kFollowed, kAmple), IsEmpty());
  EXPECT_FALSE(stream_entries_of(*reply_of("*1\r\n:1\r\n"), kFollowed, kAmple));
  EXPECT_FALSE(stream_entries_of(*reply_of("-ERR\r\n"), kFollowed, kAmple));
}

}  // namespace
}  // namespace weir
