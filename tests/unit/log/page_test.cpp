#include "broker/log/page.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/log/log_fixture.h"

namespace weir {
namespace {

constexpr std::uint64_t kMost = ~std::uint64_t{0};
// Births of a durable channel, and times of a followed one.
constexpr std::uint64_t kOld = 1'000;
constexpr std::uint64_t kNew = 2'000;

class PageTest : public LogTest {
 protected:
  Page page_of(const std::vector<StreamId>& ids) {
    Page page;
    for (const StreamId& id : ids)
      page.entries.push_back({Frame::of_entry(message_of("x"), "news", id, counter_), 0});
    if (!ids.empty()) page.first = ids.front();
    return page;
  }
  // The entries of `birth` from number `first` to `last`.
  static std::vector<StreamId> run(std::uint64_t birth, std::uint64_t first, std::uint64_t last) {
    std::vector<StreamId> ids;
    for (std::uint64_t n = first; n <= last; ++n) ids.push_back({birth, n});
    return ids;
  }
  static PageStep durable(const Page& page, const StreamId& from) {
    return step_from(page, from, StreamKind::kDurable);
  }
  static PageStep followed(const Page& page, const StreamId& from) {
    return step_from(page, from, StreamKind::kFollowed);
  }
  static ::testing::AssertionResult tells(const PageStep& step, std::optional<std::uint64_t> missed,
                                          GapReason reason) {
    if (!step.gap) return ::testing::AssertionFailure() << "no gap";
    if (step.gap->missed != missed || step.gap->reason != reason) {
      return ::testing::AssertionFailure() << (step.gap->missed ? std::to_string(*step.gap->missed) : "null")
                                           << " " << gap_reason_name(step.gap->reason);
    }
    return ::testing::AssertionSuccess();
  }
};

TEST_F(PageTest, ReachesPastWhoHasNotItsLastEntry) {
  const Page page = page_of(run(kOld, 1, 4));
  EXPECT_TRUE(page.reaches_past(kStreamBegin));
  EXPECT_TRUE(page.reaches_past({kOld, 3}));
  EXPECT_FALSE(page.reaches_past({kOld, 4}));
  EXPECT_FALSE(page.reaches_past({kNew, 0}));
  EXPECT_FALSE(Page{}.reaches_past(kStreamBegin));
}

TEST_F(PageTest, GoesOnWithTheNextEntryFromEachPlace) {
  const Page page = page_of(run(kOld, 1, 4));
  for (std::uint64_t n = 0; n < 4; ++n) {
    const PageStep step = durable(page, {kOld, n});
    EXPECT_EQ(step.index, n);
    EXPECT_FALSE(step.gap) << n;
    EXPECT_EQ(step.position, (StreamId{kOld, n}));
  }
  EXPECT_EQ(durable(page, kStreamBegin).index, 0U);
  EXPECT_FALSE(durable(page, kStreamBegin).gap) << "the first message is there";
}

TEST_F(PageTest, ThatIsAtItsEndHasNothingAndLeavesThePosition) {
  const PageStep step = durable(page_of(run(kOld, 1, 4)), {kOld, 4});
  EXPECT_EQ(step.index, 4U);
  EXPECT_FALSE(step.gap);
  EXPECT_EQ(step.position, (StreamId{kOld, 4}));
}

TEST_F(PageTest, CountsWhatWasTrimmed) {
  const PageStep step = durable(page_of(run(kOld, 8, 9)), {kOld, 3});
  EXPECT_EQ(step.index, 0U);
  EXPECT_TRUE(tells(step, 4, GapReason::kHistory));
  EXPECT_EQ(step.position, (StreamId{kOld, 7})) << "told once";
  EXPECT_FALSE(durable(page_of(run(kOld, 8, 9)), step.position).gap);
}

TEST_F(PageTest, CountsWhatWasTrimmedSinceTheFirstMessage) {
  const PageStep step = durable(page_of(run(kOld, 8, 9)), kStreamBegin);
  EXPECT_TRUE(tells(step, 7, GapReason::kHistory));
  EXPECT_EQ(step.position, (StreamId{kOld, 7}));
}

TEST_F(PageTest, CountsWhatWasDeletedInBetween) {
  EXPECT_TRUE(tells(durable(page_of({{kOld, 1}, {kOld, 5}}), {kOld, 1}), 3, GapReason::kHistory));
}

TEST_F(PageTest, GoesOnInTheNextBirthWithoutAGap) {
  const Page page = page_of({{kOld, 6}, {kOld, 7}, {kNew, 8}, {kNew, 9}});
  const PageStep step = durable(page, {kOld, 7});
  EXPECT_EQ(step.index, 2U);
  EXPECT_FALSE(step.gap);
}

TEST_F(PageTest, GoesOnInTheNextBirthThoughThePageBeginsThere) {
  Page page = page_of({{kNew, 8}, {kNew, 9}});
  page.first = {kOld, 8};
  page.before = StreamId{kOld, 7};
  const PageStep step = durable(page, {kOld, 7});
  EXPECT_EQ(step.index, 0U);
  EXPECT_FALSE(step.gap);
}

TEST_F(PageTest, GoesOnBehindWhatRedisHasLost) {
  // It had 7 entries when it went away, and came back with 5.
  const Page page = page_of({{kOld, 4}, {kOld, 5}, {kNew, 6}, {kNew, 7}, {kNew, 8}});
  const PageStep step = durable(page, {kOld, 7});
  EXPECT_EQ(step.index, 2U) << "6 and 7 of the new birth are other messages";
  EXPECT_FALSE(step.gap);
}

TEST_F(PageTest, IsToldOfAResetIfNothingAsOldIsLeft) {
  const PageStep step = durable(page_of(run(kNew, 9, 10)), {kOld, 7});
  EXPECT_EQ(step.index, 0U);
  EXPECT_TRUE(tells(step, std::nullopt, GapReason::kReset));
  EXPECT_EQ(step.position, (StreamId{kNew, 8}));
}

TEST_F(PageTest, IsToldOfAResetIfTheStreamWasMadeAnew) {
  const PageStep step = durable(page_of(run(kNew, 1, 2)), {kOld, 7});
  EXPECT_EQ(step.index, 0U);
  EXPECT_TRUE(tells(step, std::nullopt, GapReason::kReset));
  EXPECT_EQ(step.position, (StreamId{kNew, 0}));
}

TEST_F(PageTest, OfAStreamWithoutEntriesCountsWhatWasThere) {
  Page page;
  page.is_last = true;
  page.end = StreamId{kOld, 9};
  const PageStep step = durable(page, {kOld, 7});
  EXPECT_EQ(step.index, 0U);
  EXPECT_TRUE(tells(step, 2, GapReason::kHistory));
  EXPECT_EQ(step.position, (StreamId{kOld, 9}));
  EXPECT_FALSE(durable(page, {kOld, 9}).gap);
  EXPECT_TRUE(tells(durable(page, kStreamBegin), 9, GapReason::kHistory));
  EXPECT_TRUE(tells(durable(page, {500, 3}), std::nullopt, GapReason::kReset)) << "of an older birth";
}

TEST_F(PageTest, OfAStreamThatIsGoneIsAReset) {
  Page page;
  page.is_last = true;
  page.end = kStreamBegin;
  const PageStep step = durable(page, {kOld, 7});
  EXPECT_TRUE(tells(step, std::nullopt, GapReason::kReset));
  EXPECT_EQ(step.position, kStreamBegin);
  EXPECT_FALSE(durable(page, kStreamBegin).gap) << "it never had a message";
}

TEST_F(PageTest, WhoIsBeyondTheEndHasWhatRedisLost) {
  Page page = page_of(run(kOld, 4, 5));
  page.is_last = true;
  page.end = StreamId{kOld, 5};
  const PageStep step = durable(page, {kOld, 7});
  EXPECT_EQ(step.index, 2U);
  EXPECT_FALSE(step.gap);
  EXPECT_EQ(step.position, (StreamId{kOld, 5})) << "number 6 is another message";
}

TEST_F(PageTest, OfAFollowedStreamHasNoGapWhereItsPlaceIsStillThere) {
  const Page page = page_of({{kOld, 0}, {kOld, 1}, {kNew, 5}});
  EXPECT_EQ(followed(page, {kOld, 1}).index, 2U);
  EXPECT_FALSE(followed(page, {kOld, 1}).gap) << "ids count nothing";
  EXPECT_FALSE(followed(page, {kOld, 7}).gap) << "an older one is there: only it was deleted";
  EXPECT_FALSE(followed(page, kStreamBegin).gap);
}

TEST_F(PageTest, OfAFollowedStreamTellsThatItsPlaceWasTrimmed) {
  Page page = page_of({{kNew, 5}, {kNew, 6}});
  page.is_trimmed = true;
  const PageStep step = followed(page, {kOld, 1});
  EXPECT_EQ(step.index, 0U);
  EXPECT_TRUE(tells(step, std::nullopt, GapReason::kHistory));
  EXPECT_EQ(step.position, (StreamId{kNew, 4}));
  EXPECT_FALSE(followed(page, step.position).gap) << "it is told once";
}

TEST_F(PageTest, OfAFollowedStreamThatHasAllItsEntriesAnUnknownPositionIsNotOfIt) {
  const PageStep step = followed(page_of({{kNew, 5}, {kNew, 6}}), {kOld, 1});
  EXPECT_EQ(step.index, 0U);
  EXPECT_TRUE(tells(step, std::nullopt, GapReason::kReset));
  EXPECT_FALSE(followed(page_of({{kNew, 5}}), kStreamBegin).gap)
      << "who was there before the first missed nothing";
}

TEST_F(PageTest, OfAFollowedStreamHasNoGapIfSomethingOlderIsThere) {
  Page page = page_of({{kNew, 5}});
  page.first = {kOld, 1};
  page.before = StreamId{kOld, 0};
  EXPECT_FALSE(followed(page, {kOld, 1}).gap);
}

TEST_F(PageTest, OfAnEmptyFollowedStreamTellsThatSomethingWasThere) {
  Page page;
  page.is_last = true;
  page.end = StreamId{kNew, 1};
  const PageStep step = followed(page, {kOld, 1});
  EXPECT_TRUE(tells(step, std::nullopt, GapReason::kHistory));
  EXPECT_EQ(step.position, (StreamId{kNew, 1}));
  EXPECT_FALSE(followed(page, {kNew, 1}).gap);
}

TEST_F(PageTest, OfAFollowedStreamThatWasMadeAnewBeginsItAnew) {
  Page page;
  page.is_last = true;
  page.end = StreamId{kOld, 3};
  const PageStep step = followed(page, {kNew, 1});
  EXPECT_TRUE(tells(step, std::nullopt, GapReason::kReset));
  // What it holds already is read next, without another gap.
  const PageStep next = followed(page_of({{kOld, 2}, {kOld, 3}}), step.position);
  EXPECT_EQ(next.index, 0U);
  EXPECT_FALSE(next.gap);
}

TEST_F(PageTest, HasSoManyEntriesThatItStaysSmall) {
  EXPECT_EQ(page_messages(0), kPageMessagesUnseen);
  EXPECT_EQ(page_messages(1), kPageMessagesMax);
  for (const std::size_t bytes : {1U, 200U, 1'024U, 1'025U, 5'000U, 100'000U, 131'072U, 131'073U, 262'144U}) {
    const std::size_t messages = page_messages(bytes);
    EXPECT_EQ(messages & (messages - 1), 0U) << "a power of two: " << messages;
    EXPECT_LE(messages * bytes, kPageBytes) << bytes;
    if (messages < kPageMessagesMax) {
      EXPECT_GT(2 * messages * bytes, kPageBytes) << bytes;
    }
  }
  EXPECT_EQ(page_messages(4 << 20), 1U);
}

TEST_F(PageTest, OfADurableChannelBeginsAtAMultipleSoThatNearPlacesShareIt) {
  const auto first = [](std::uint64_t n) { return page_first({kOld, n}, StreamKind::kDurable, 16); };
  EXPECT_EQ(first(0), (StreamId{kOld, 1}));
  EXPECT_EQ(first(15), (StreamId{kOld, 1})) << "the next is number 16, the last of this page";
  EXPECT_EQ(first(16), (StreamId{kOld, 17}));
  EXPECT_EQ(first(31), (StreamId{kOld, 17}));
  EXPECT_EQ(page_first(kStreamBegin, StreamKind::kDurable, 16), (StreamId{0, 1}));
}

TEST_F(PageTest, NeverBeginsBehindTheNextEntry) {
  for (const std::uint64_t n : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{255}, kMost - 1, kMost}) {
    for (std::size_t messages = 1; messages <= kPageMessagesMax; messages *= 2) {
      const StreamId from{kOld, n};
      const StreamId first = page_first(from, StreamKind::kDurable, messages);
      EXPECT_TRUE(first <= from || id_before(first) == from) << n << " " << messages;
    }
  }
}

TEST_F(PageTest, OfAFollowedStreamBeginsWithThePlaceItself) {
  EXPECT_EQ(page_first({kOld, 7}, StreamKind::kFollowed, 16), (StreamId{kOld, 7}));
}

}  // namespace
}  // namespace weir
