// The log of a channel with a history: its entries have ids in a stream.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "broker/log/channel_log.h"
#include "tests/unit/log/log_fixture.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Place = ChannelLog::Joint::Place;

constexpr std::uint64_t kOld = 1'000;
constexpr std::uint64_t kNew = 2'000;

class StreamLogTest : public LogTest {
 protected:
  Sequence append_entry(ChannelLog& log, const StreamId& id, const Message& message) {
    ++sequence_;
    log.append(Frame::of_entry(message, "news", id, counter_), sequence_, now_);
    return sequence_;
  }
  // The data is the id.
  Sequence append_entry(ChannelLog& log, const StreamId& id) {
    return append_entry(log, id, message_of(format_stream_id(id)));
  }
  void append_stream_gap(ChannelLog& log, const StreamId& id, GapReason reason) {
    ++sequence_;
    log.append(Frame::of_gap("news", std::nullopt, reason, format_stream_id(id), counter_, id), sequence_,
               now_);
  }
  void begin(ChannelLog& log, const StreamId& id) { log.begin(++sequence_, id); }

  // What a reader gets that joins with everything up to `id`.
  static std::vector<std::string> joined(const ChannelLog& log, const StreamId& id) {
    const auto joint = log.join(id);
    EXPECT_EQ(joint.place, Place::kHere);
    return data_after(log, joint.cursor);
  }
};

TEST_F(StreamLogTest, IsUnknownBeforeItBegins) {
  const ChannelLog log(no_limits());
  EXPECT_EQ(log.join(kStreamBegin).place, Place::kUnknown);
  EXPECT_EQ(log.join({kOld, 1}).place, Place::kUnknown);
  EXPECT_FALSE(log.place_at(0).id);
}

TEST_F(StreamLogTest, OfAChannelWithoutAMessageBeginsBeforeTheFirst) {
  ChannelLog log(no_limits());
  begin(log, kStreamBegin);
  EXPECT_THAT(joined(log, kStreamBegin), IsEmpty());
  const Cursor empty = log.join(kStreamBegin).cursor;
  append_entry(log, {kOld, 1});
  EXPECT_THAT(data_after(log, empty), ElementsAre("1000-1"));
  EXPECT_THAT(joined(log, kStreamBegin), ElementsAre("1000-1"));
}

TEST_F(StreamLogTest, IsJoinedBehindEachEntryWithoutASeam) {
  ChannelLog log(no_limits());
  begin(log, {kOld, 5});
  for (const std::uint64_t n : {6, 7, 8}) append_entry(log, {kOld, n});
  EXPECT_THAT(joined(log, {kOld, 5}), ElementsAre("1000-6", "1000-7", "1000-8"));
  EXPECT_THAT(joined(log, {kOld, 6}), ElementsAre("1000-7", "1000-8"));
  EXPECT_THAT(joined(log, {kOld, 8}), IsEmpty());
}

TEST_F(StreamLogTest, KnowsNothingBeforeItBegan) {
  ChannelLog log(no_limits());
  begin(log, {kOld, 5});
  append_entry(log, {kOld, 6});
  const auto joint = log.join({kOld, 4});
  EXPECT_EQ(joint.place, Place::kBefore);
  EXPECT_EQ(joint.base, (StreamId{kOld, 5}));
  EXPECT_EQ(log.begin_id(), (StreamId{kOld, 5}));
}

TEST_F(StreamLogTest, DoesNotReachBackToWhatItForgot) {
  ChannelLog log(history_of(2));
  begin(log, {kOld, 5});
  for (const std::uint64_t n : {6, 7, 8, 9}) append_entry(log, {kOld, n});
  EXPECT_EQ(log.join({kOld, 6}).place, Place::kBefore);
  EXPECT_EQ(log.join({kOld, 6}).base, (StreamId{kOld, 7}));
  EXPECT_THAT(joined(log, {kOld, 7}), ElementsAre("1000-8", "1000-9"));
}

TEST_F(StreamLogTest, IsOlderThanAReaderFromBeyond) {
  ChannelLog log(no_limits());
  begin(log, {kOld, 5});
  append_entry(log, {kOld, 6});
  EXPECT_EQ(log.join({kOld, 7}).place, Place::kBeyond);
  EXPECT_EQ(log.join({kNew, 0}).place, Place::kBeyond);
}

TEST_F(StreamLogTest, IsJoinedBetweenBirthsByWhoeverHasTheLastOfTheOld) {
  ChannelLog log(no_limits());
  begin(log, {kOld, 5});
  append_entry(log, {kOld, 6});
  append_entry(log, {kNew, 7});
  EXPECT_THAT(joined(log, {kOld, 6}), ElementsAre("2000-7"));
  EXPECT_THAT(joined(log, {kOld, 9}), ElementsAre("2000-7")) << "Redis has lost 7 to 9 of the old birth";
}

TEST_F(StreamLogTest, OfAFollowedStreamIsJoinedBetweenItsEntries) {
  ChannelLog log(no_limits());
  begin(log, {kOld, 0});
  append_entry(log, {kOld, 5});
  append_entry(log, {kOld, 9});
  EXPECT_THAT(joined(log, {kOld, 7}), ElementsAre("1000-9"));
}

TEST_F(StreamLogTest, ThatIsAllForgottenStillKnowsWhereItStands) {
  ChannelLog log(history_of(0));
  begin(log, {kOld, 5});
  append_entry(log, {kOld, 6});
  EXPECT_EQ(log.end_id(), (StreamId{kOld, 6}));
  EXPECT_THAT(joined(log, {kOld, 6}), IsEmpty());
  EXPECT_EQ(log.join({kOld, 5}).place, Place::kBefore);
}

TEST_F(StreamLogTest, JoinedByOneIsReadByAllFromThereOn) {
  ChannelLog log(no_limits());
  begin(log, {kOld, 5});
  const Cursor cursor = log.join({kOld, 5}).cursor;
  append_entry(log, {kOld, 6});
  EXPECT_THAT(data_after(log, cursor), ElementsAre("1000-6"));
  EXPECT_FALSE(log.was_evicted(cursor));
}

TEST_F(StreamLogTest, KnowsTheIdAtEachSequence) {
  ChannelLog log(no_limits());
  begin(log, {kOld, 5});
  const Sequence begun = sequence_;
  sequence_ = 10;
  append_entry(log, {kOld, 6});  // 11
  sequence_ = 20;
  append_entry(log, {kOld, 7});  // 21
  EXPECT_EQ(log.place_at(begun).id, (StreamId{kOld, 5}));
  EXPECT_EQ(log.place_at(10).id, (StreamId{kOld, 5}));
  EXPECT_EQ(log.place_at(11).id, (StreamId{kOld, 6}));
  EXPECT_EQ(log.place_at(20).id, (StreamId{kOld, 6}));
  EXPECT_EQ(log.place_at(21).id, (StreamId{kOld, 7}));
  EXPECT_THAT(data_after(log, log.place_at(11).cursor), ElementsAre("1000-7"));
}

TEST_F(StreamLogTest, KnowsItsLastEnd) {
  ChannelLog log(history_of(1));
  begin(log, {kOld, 5});
  EXPECT_EQ(log.last_end_id(), kStreamBegin);
  append_entry(log, {kOld, 6}, end_message());
  append_entry(log, {kOld, 7});
  append_entry(log, {kOld, 8}, end_message());
  append_entry(log, {kOld, 9});
  append_entry(log, {kOld, 10});
  EXPECT_EQ(log.last_end_id(), (StreamId{kOld, 8})) << "forgotten or not";
  EXPECT_EQ(log.end_id(), (StreamId{kOld, 10}));
}

TEST_F(StreamLogTest, ThatBeginsAnewIsJoinedAmongTheNewIds) {
  ChannelLog log(no_limits());
  begin(log, {kNew, 5});
  append_entry(log, {kNew, 6});
  append_entry(log, {kNew, 7}, end_message());
  log.begin_anew(kStreamBegin);
  append_stream_gap(log, kStreamBegin, GapReason::kReset);
  append_entry(log, {kOld, 1});
  append_entry(log, {kOld, 2});
  EXPECT_EQ(log.end_id(), (StreamId{kOld, 2}));
  EXPECT_EQ(log.begin_id(), kStreamBegin);
  EXPECT_EQ(log.last_end_id(), kStreamBegin) << "that one is of the stream that is gone";
  EXPECT_THAT(joined(log, {kOld, 1}), ElementsAre("1000-2"));
  EXPECT_EQ(log.join({kNew, 6}).place, Place::kBeyond) << "it is of the stream that is gone";
}

TEST_F(StreamLogTest, ThatBeganAnewIsReadToItsEndByWhoWasThere) {
  ChannelLog log(no_limits());
  begin(log, {kNew, 5});
  const Cursor cursor = log.join({kNew, 5}).cursor;
  append_entry(log, {kNew, 6});
  log.begin_anew(kStreamBegin);
  append_stream_gap(log, kStreamBegin, GapReason::kReset);
  append_entry(log, {kOld, 1});
  std::vector<LogEntry> entries;
  EXPECT_FALSE(log.read(cursor, kNoHorizon, kNoLimit, entries).is_forgotten);
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[1].frame->gap_reason(), GapReason::kReset);
}

TEST_F(StreamLogTest, ThatBeganAnewAndForgotThatStillKnowsItsIds) {
  ChannelLog log(history_of(1));
  begin(log, {kNew, 5});
  append_entry(log, {kNew, 6});
  log.begin_anew(kStreamBegin);
  append_stream_gap(log, kStreamBegin, GapReason::kReset);
  for (const std::uint64_t n : {1, 2, 3}) append_entry(log, {kOld, n});
  EXPECT_THAT(joined(log, {kOld, 2}), ElementsAre("1000-3"));
  EXPECT_EQ(log.join({kOld, 1}).place, Place::kBefore);
  EXPECT_EQ(log.join({kOld, 1}).base, (StreamId{kOld, 2}));
}

TEST_F(StreamLogTest, APassingMessageIsReadButCountsAsNone) {
  ChannelLog log(no_limits());
  begin(log, {kOld, 5});
  append_entry(log, {kOld, 6});
  const Cursor before = log.end();
  ++sequence_;
  log.append(Frame::of_passing(message_of("passing"), "news", log.end_id(), counter_), sequence_, now_);
  EXPECT_EQ(log.end().ordinal, before.ordinal);
  EXPECT_EQ(log.end_id(), (StreamId{kOld, 6}));
  EXPECT_THAT(data_after(log, before), ElementsAre("passing"));
  EXPECT_THAT(joined(log, {kOld, 6}), IsEmpty()) << "it is never replayed";
  append_entry(log, {kOld, 7});
  EXPECT_THAT(joined(log, {kOld, 6}), ElementsAre("1000-7"));
}

TEST_F(StreamLogTest, ASkipSaysWhichIdItLandsAt) {
  auto limits = no_limits();
  limits.queue_messages = 2;
  ChannelLog log(limits);
  begin(log, {kOld, 5});
  const Cursor start = log.join({kOld, 5}).cursor;
  for (const std::uint64_t n : {6, 7, 8, 9}) append_entry(log, {kOld, n});
  const Skip skip = log.skip(start, true, kNoHorizon);
  EXPECT_EQ(skip.missed, 2U);
  EXPECT_EQ(skip.to_id, (StreamId{kOld, 7}));
}

}  // namespace
}  // namespace weir
