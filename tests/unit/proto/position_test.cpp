#include "proto/position.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace weir {
namespace {

constexpr std::uint64_t kNow = 1'760'000'000'000;
constexpr std::uint64_t kBirth = kNow * 1'000'000 + 123'456;
constexpr std::uint64_t kMost = ~std::uint64_t{0};
using Channels = std::vector<std::string>;

CompositePart durable(std::string_view channel, std::uint64_t birth, std::uint64_t n) {
  return {channel, {{birth, n}}, true};
}
CompositePart followed(std::string_view channel, std::uint64_t ms, std::uint64_t n) {
  return {channel, {{ms, n}}, false};
}
std::string composite(const std::vector<CompositePart>& parts, std::string_view live = {}) {
  return format_composite_id(parts, live);
}

TEST(Position, OfLiveChannelsIsAnEventId) {
  const auto position = parse_position("gabcd1234.17");
  ASSERT_TRUE(position);
  ASSERT_TRUE(position->live);
  EXPECT_EQ(position->live->epoch, "abcd1234");
  EXPECT_EQ(position->live->sequence, 17U);
  EXPECT_FALSE(position->stream);
  EXPECT_FALSE(position->of("news", true, Channels{"news"}));
}

TEST(Position, OfOneChannelIsTheIdInItsStream) {
  for (const StreamId& id : {kStreamBegin, StreamId{kBirth, 1}, StreamId{kMost, kMost}}) {
    const auto position = parse_position(format_stream_id(id));
    ASSERT_TRUE(position);
    EXPECT_FALSE(position->live);
    const auto at = position->of("news", true, Channels{"news"});
    ASSERT_TRUE(at);
    EXPECT_EQ(at->id, id);
    EXPECT_FALSE(at->is_short);
  }
}

TEST(Position, OfOneChannelSaysNothingAboutSeveral) {
  const auto position = parse_position(format_stream_id({kBirth, 1}));
  ASSERT_TRUE(position);
  EXPECT_FALSE(position->of("a", true, Channels{"a", "b"}));
  EXPECT_FALSE(position->of("b", true, Channels{"a", "b"}));
}

TEST(Position, OfADurableChannelAmongOthersHasTheTimeOfItsBirth) {
  for (const std::uint64_t n :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{63}, std::uint64_t{64}, kMost}) {
    const auto position = parse_position(composite({durable("news", kBirth, n)}));
    ASSERT_TRUE(position) << n;
    const auto at = position->of("news", true, Channels{"other", "news"});
    ASSERT_TRUE(at) << n;
    EXPECT_TRUE(at->is_short);
    EXPECT_EQ(at->id, (StreamId{kNow * 1'000'000, n})) << "the first birth of that time";
  }
}

TEST(Position, OfADurableChannelIsWrittenAgainAsItWasRead) {
  const std::string id = composite({durable("news", kBirth, 77)});
  const auto at = parse_position(id)->of("news", true, Channels{"news", "other"});
  ASSERT_TRUE(at);
  EXPECT_EQ(composite({{"news", *at, true}}), id);
}

TEST(Position, BeforeTheFirstMessageIsWholeInACompositeIdToo) {
  const auto at = parse_position(composite({durable("news", 0, 0)}))->of("news", true, Channels{"news", "b"});
  ASSERT_TRUE(at);
  EXPECT_EQ(at->id, kStreamBegin);
  EXPECT_FALSE(at->is_short);
}

TEST(Position, OfALaterBirthIsLater) {
  const auto of = [](std::uint64_t birth) {
    return parse_position(composite({durable("a", birth, 1)}))->of("a", true, Channels{"a"})->id;
  };
  EXPECT_LT(of(kBirth), of(kBirth + 1'000'000));
  EXPECT_LE(of(kBirth).ms, kBirth);
  EXPECT_EQ(time_of_birth(kBirth), kNow);
  EXPECT_EQ(first_birth_of(kNow), kBirth / 1'000'000 * 1'000'000);
}

TEST(Position, OfAFollowedChannelAmongOthersIsWhole) {
  for (const StreamId& id : {kStreamBegin, StreamId{1, 0}, StreamId{kNow, 3}, StreamId{kNow, kMost}}) {
    const auto position = parse_position(composite({followed("orders", id.ms, id.n)}));
    ASSERT_TRUE(position);
    const auto at = position->of("orders", false, Channels{"orders", "other"});
    ASSERT_TRUE(at);
    EXPECT_EQ(at->id, id);
    EXPECT_FALSE(at->is_short);
  }
}

TEST(Position, DoesNotDependOnTheOrderOfTheChannels) {
  const std::string id =
      composite({durable("a", kBirth, 1), followed("b", kNow, 2), durable("c", kBirth, 3)}, "gabcd1234.17");
  const auto position = parse_position(id);
  ASSERT_TRUE(position);
  ASSERT_TRUE(position->live);
  EXPECT_EQ(position->live->sequence, 17U);
  for (const Channels& channels :
       {Channels{"a", "b", "c"}, Channels{"c", "live", "b", "a"}, Channels{"b", "a", "c", "new"}}) {
    EXPECT_EQ(position->of("a", true, channels)->id.n, 1U);
    EXPECT_EQ(position->of("b", false, channels)->id, (StreamId{kNow, 2}));
    EXPECT_EQ(position->of("c", true, channels)->id.n, 3U);
    EXPECT_FALSE(position->of("new", true, channels)) << "it was added";
  }
}

TEST(Position, MayBeOfLiveChannelsAlone) {
  const auto position = parse_position(composite({}, "gabcd1234.17"));
  ASSERT_TRUE(position);
  EXPECT_EQ(position->live->sequence, 17U);
  EXPECT_TRUE(position->parts.empty());
}

TEST(Position, OfEightChannelsFitsAnEventId) {
  std::vector<std::string> names;
  for (int i = 0; i < 8; ++i) names.push_back("customers/4711/orders/" + std::to_string(i));
  std::vector<CompositePart> parts;
  // A million messages each.
  for (const std::string& name : names) parts.push_back(durable(name, kBirth, 1'000'000));
  EXPECT_LE(composite(parts).size(), kEventIdBytesMax);
  // Live ones besides, of a gateway that has seen ten thousand million.
  parts.resize(6);
  EXPECT_LE(composite(parts, "gabcdefgh12345.10000000000").size(), kEventIdBytesMax);
  parts.clear();
  // XADD numbers the entries of one millisecond.
  for (const std::string& name : names) parts.push_back(followed(name, kNow, 63));
  EXPECT_LE(composite(parts).size(), kEventIdBytesMax);
}

TEST(Position, HasCharactersThatNeedNoPreflight) {
  std::vector<CompositePart> parts;
  std::vector<std::string> names;
  for (int i = 0; i < 64; ++i) names.push_back(std::to_string(i));
  for (const std::string& name : names) parts.push_back(durable(name, kBirth + parts.size(), parts.size()));
  const std::string id = composite(parts, "gabcd1234.17");
  EXPECT_EQ(id.find_first_of("\"():<>?@[\\]{} ,;\x7f"), std::string::npos) << id;
  for (const char c : id) EXPECT_TRUE(c > ' ' && c < '\x7f') << id;
  EXPECT_EQ(id.find('~'), std::string::npos) << "the publisher's own id comes behind it";
}

TEST(Position, IsTheSameWithThePublishersIdAndTheMarkOfTheEnd) {
  for (const std::string& position : {format_stream_id({kBirth, 7}), composite({durable("a", kBirth, 7)}),
                                      composite({durable("a", kBirth, 7)}, "gabcd1234.17")}) {
    for (const std::string suffix : {"~own", "~end", "~own~end", "~a~b", "~gabcd1234.3", "~1-1"}) {
      const auto parsed = parse_position(position + suffix);
      ASSERT_TRUE(parsed) << position + suffix;
      EXPECT_EQ(parsed->of("a", true, Channels{"a"})->id.n, 7U) << position + suffix;
      if (parsed->live) {
        EXPECT_EQ(parsed->live->sequence, 17U);
      }
    }
  }
}

TEST(Position, InAnyOtherFormIsNone) {
  const std::string good = composite({durable("a", kBirth, 7)});  // c<3><7>H
  ASSERT_TRUE(parse_position(good));
  const std::string part = good.substr(1);
  const std::string name = part.substr(0, 3);
  ASSERT_EQ(part.size(), 3U + 7U + 1U);
  const std::string followed_part = composite({followed("b", kNow, 1)}).substr(1);
  for (const std::string& id : {
           std::string(),
           std::string("~"),
           std::string("~own"),
           std::string("~end"),
           std::string("x1-1"),
           std::string("C") + part,
           std::string("1-1~"),
           std::string("1-1~ "),
           std::string("1-1~own "),
           std::string("1-1~a:b"),
           std::string("1-1~") + std::string(65, 'a'),
           std::string("g"),
           std::string("gabcd1234"),
           std::string("gabcd1234.x"),
           "c." + part,
           "c" + part + ".",
           "c" + part + "..",
           "c" + part + ".." + followed_part,
           "c" + part + "!",
           "c" + part + "!1-1",
           "c" + part + "!gabcd1234",
           "c" + part + "!gabcd1234.1!gabcd1234.1",
           "c" + part + "~",
           "c" + part + "~a\"b",
           "c" + part + " ",
           "c " + part,
           "c" + name,            // No time.
           "c" + name.substr(1),  // Two digits.
           "c" + part.substr(0, 9) + "!gabcd1234.1",
           part,                                    // No mark.
           good.substr(0, good.size() - 1),         // No n.
           good.substr(0, good.size() - 1) + "AH",  // n with a digit too many.
           good.substr(0, good.size() - 1) + "+",
           good.substr(0, good.size() - 1) + "=",
           good + "AAAAAAAAAAA",                             // More than 64 bits.
           good.substr(0, good.size() - 1) + "QAAAAAAAAAA",  // 64 bits and one.
       }) {
    EXPECT_FALSE(parse_position(id)) << id;
  }
  EXPECT_FALSE(parse_position(good + std::string(1, '\0')));
  EXPECT_FALSE(parse_position(std::string("1-1\0~own", 8)));
}

TEST(Position, ThatIsTooLongIsNone) {
  std::vector<std::string> names;
  for (int i = 0; i < 500; ++i) names.push_back(std::to_string(i));
  std::vector<CompositePart> parts;
  while (composite(parts).size() <= kCompositeIdBytesMax) {
    EXPECT_TRUE(parse_position(composite(parts))) << parts.size();
    parts.push_back(durable(names.at(parts.size()), kBirth, 1'000));
  }
  EXPECT_FALSE(parse_position(composite(parts)));
}

// Two names with the same digits, found as a birthday's pair: there are 2^18 digests.
TEST(Position, OfTwoChannelsWithTheSameDigitsIsUnknown) {
  std::map<std::string, std::string> names;
  std::string first;
  std::string second;
  for (int i = 0; second.empty() && i < 100'000; ++i) {
    const std::string name = "channel" + std::to_string(i);
    const auto [at, is_new] = names.emplace(composite({durable(name, kBirth, 1)}), name);
    if (is_new) continue;
    first = at->second;
    second = name;
  }
  ASSERT_FALSE(second.empty());
  const auto position = parse_position(composite({durable(first, kBirth, 5), durable("other", kBirth, 9)}));
  ASSERT_TRUE(position);
  const Channels both{first, "other", second};
  EXPECT_FALSE(position->of(first, true, both));
  EXPECT_FALSE(position->of(second, true, both));
  EXPECT_EQ(position->of("other", true, both)->id.n, 9U);
  EXPECT_EQ(position->of(first, true, Channels{first, "other"})->id.n, 5U);
}

}  // namespace
}  // namespace weir
