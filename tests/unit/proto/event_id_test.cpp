#include "proto/event_id.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "vectors.h"

namespace weir {
namespace {

TEST(EventId, IsWrittenAndReadBackAsTheVectorsSay) {
  for (const auto& vector : load_vectors("event_ids.json", "format")) {
    const std::string id = vector.at("id");
    const std::string epoch = vector.at("epoch");
    const Sequence sequence = vector.at("sequence");
    const std::string own_id = vector.at("own_id");
    const bool is_end = vector.at("is_end");
    EXPECT_EQ(format_event_id(epoch, sequence, own_id, is_end), id);
    const auto parsed = parse_event_id(id);
    ASSERT_TRUE(parsed) << id;
    EXPECT_EQ(parsed->epoch, epoch);
    EXPECT_EQ(parsed->sequence, sequence);
    EXPECT_EQ(is_end_id(id), is_end) << id;
    EXPECT_LE(id.size(), kEventIdBytesMax);
  }
}

TEST(EventId, ThatIsMalformedIsNone) {
  for (const std::string id : load_vectors("event_ids.json", "malformed")) {
    EXPECT_FALSE(parse_event_id(id)) << id;
  }
}

TEST(EventId, OfAnEndedStreamIsKnownWhoeverGaveIt) {
  for (const std::string id : load_vectors("event_ids.json", "ends")) EXPECT_TRUE(is_end_id(id)) << id;
  for (const std::string id : load_vectors("event_ids.json", "not_ends")) EXPECT_FALSE(is_end_id(id)) << id;
}

TEST(EventId, TakesAPublishersOwnIdWhereItIsSafe) {
  for (const std::string id : load_vectors("event_ids.json", "own_ids")) EXPECT_TRUE(is_own_id(id)) << id;
  for (const std::string id : load_vectors("event_ids.json", "not_own_ids"))
    EXPECT_FALSE(is_own_id(id)) << id;
}

TEST(EventId, WithoutAnOwnIdIsTheShortForm) {
  EXPECT_EQ(format_event_id("abcd1234", 7), format_event_id("abcd1234", 7, "", false));
}

TEST(EventId, OfAMessageIsNeverThatOfAnEnd) {
  // An own id of any safe characters around the mark: what is accepted must not be read as an end.
  for (const std::string prefix : {"", "a", "~", "end", "~end"}) {
    for (const std::string suffix : {"", "~", "end", "~end", "~end~", "end "}) {
      const std::string own_id = prefix + suffix;
      if (!is_own_id(own_id)) continue;
      EXPECT_FALSE(is_end_id(format_event_id("abcd1234", 7, own_id, false))) << own_id;
      EXPECT_TRUE(is_end_id(format_event_id("abcd1234", 7, own_id, true))) << own_id;
      EXPECT_TRUE(parse_event_id(format_event_id("abcd1234", 7, own_id, true))) << own_id;
    }
  }
}

TEST(EventId, TakesASuffixBehindAnyPosition) {
  EXPECT_EQ(with_id_suffix("7-1", "", false), "7-1");
  EXPECT_EQ(with_id_suffix("7-1", "own", false), "7-1~own");
  EXPECT_EQ(with_id_suffix("7-1", "", true), "7-1~end");
  EXPECT_EQ(with_id_suffix("7-1", "own", true), "7-1~own~end");
  EXPECT_TRUE(is_end_id(with_id_suffix("7-1", "own", true)));
  EXPECT_FALSE(is_end_id(with_id_suffix("7-1", "own", false)));
}

TEST(EventId, OfAnySuffixIsAnOwnIdOrTheEndOrBoth) {
  for (const std::string suffix : {"own", "end", "own~end", "a~b", "~"})
    EXPECT_TRUE(is_id_suffix(suffix)) << suffix;
  for (const std::string suffix : {"", " ", "own ", "a b:c", "own~end ", "\x7f"})
    EXPECT_FALSE(is_id_suffix(suffix)) << suffix;
  EXPECT_TRUE(is_id_suffix(std::string(64, 'a')));
  EXPECT_FALSE(is_id_suffix(std::string(65, 'a')));
}

TEST(Epoch, IsDifferentForDifferentNumbersAndPartOfAnId) {
  std::set<std::string> epochs;
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  for (const std::uint64_t random : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{36}, kMax - 1, kMax}) {
    const std::string epoch = make_epoch(random);
    epochs.insert(epoch);
    const auto id = parse_event_id(format_event_id(epoch, 1));
    ASSERT_TRUE(id) << epoch;
    EXPECT_EQ(id->epoch, epoch);
  }
  EXPECT_EQ(epochs.size(), 5u);
}

}  // namespace
}  // namespace weir
