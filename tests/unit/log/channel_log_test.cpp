#include "broker/log/channel_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/log/log_fixture.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Strings = std::vector<std::string>;

class ChannelLogTest : public LogTest {};

TEST_F(ChannelLogTest, GivesAReaderWhatFollowsItsCursorInOrder) {
  ChannelLog log(no_limits());
  append(log, "first");
  const Cursor cursor = log.end();
  append(log, "second");
  append(log, "third");
  EXPECT_THAT(data_after(log, cursor), ElementsAre("second", "third"));
  EXPECT_THAT(data_after(log, log.end()), IsEmpty());
}

TEST_F(ChannelLogTest, FindsEveryPlaceFromAnyDistance) {
  for (std::size_t size = 1; size <= 20; ++size) {
    ChannelLog log(no_limits());
    std::vector<Cursor> cursors{log.end()};
    for (std::size_t i = 0; i < size; ++i) {
      append(log, std::to_string(i));
      cursors.push_back(log.end());
    }
    for (std::size_t i = 0; i <= size; ++i) {
      const auto data = data_after(log, cursors[i]);
      ASSERT_EQ(data.size(), size - i);
      if (i < size) {
        EXPECT_EQ(data.front(), std::to_string(i));
      }
    }
  }
}

TEST_F(ChannelLogTest, GoesOnCountingWhenEverythingIsForgotten) {
  ChannelLog log(history_of(0));
  append(log, "1");
  append(log, "2");
  EXPECT_EQ(log.counts().messages, 0U);
  EXPECT_EQ(log.end().ordinal, 2U);
  EXPECT_EQ(log.end().sequence, sequence_);
}

TEST_F(ChannelLogTest, CountsLagBySubtractionOfOrdinalsAndBytes) {
  ChannelLog log(no_limits());
  const Cursor start = log.end();
  append(log, "1");
  append_gap(log, std::nullopt, GapReason::kBusDown);
  append(log, "2");
  EXPECT_EQ(log.end().ordinal - start.ordinal, 2U) << "a gap is no message";
  EXPECT_EQ(log.end().bytes - log.counts().bytes, start.bytes);
}

TEST_F(ChannelLogTest, ReadsNothingPastTheHorizon) {
  ChannelLog log(no_limits());
  const Sequence first = append(log, "first");
  append(log, "second");
  std::vector<LogEntry> entries;
  const auto result = log.read({}, first, kNoLimit, entries);
  EXPECT_EQ(entries.size(), 1U);
  EXPECT_TRUE(result.has_more);
}

TEST_F(ChannelLogTest, ReadsUpToTheByteLimitButAtLeastOneFrame) {
  ChannelLog log(no_limits());
  append(log, std::string(500, 'a'));
  append(log, std::string(500, 'b'));
  append(log, std::string(500, 'c'));
  std::vector<LogEntry> entries;
  EXPECT_TRUE(log.read({}, kNoHorizon, 1, entries).has_more);
  EXPECT_EQ(entries.size(), 1U);
  entries.clear();
  EXPECT_TRUE(log.read({}, kNoHorizon, 1'300, entries).has_more);
  EXPECT_EQ(entries.size(), 2U);
  entries.clear();
  EXPECT_FALSE(log.read({}, kNoHorizon, kNoLimit, entries).has_more);
  EXPECT_EQ(entries.size(), 3U);
}

TEST_F(ChannelLogTest, StopsReadingAfterAnEnd) {
  ChannelLog log(no_limits());
  append(log, "last");
  append(log, end_message());
  append(log, "of the next life");
  std::vector<LogEntry> entries;
  EXPECT_TRUE(log.read({}, kNoHorizon, kNoLimit, entries).has_more);
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries.back().frame->kind(), FrameKind::kEnd);
}

TEST_F(ChannelLogTest, ForgetsTheOldestPastTheNumberOfMessages) {
  ChannelLog log(history_of(2));
  const Cursor start = log.end();
  for (const char* data : {"1", "2", "3"}) append(log, data);
  std::vector<LogEntry> entries;
  EXPECT_TRUE(log.read(start, kNoHorizon, kNoLimit, entries).is_forgotten);
  EXPECT_THAT(entries, IsEmpty());
  EXPECT_EQ(log.counts().messages, 2U);
}

TEST_F(ChannelLogTest, ForgetsTheOldestPastTheBytes) {
  auto limits = no_limits();
  limits.history_bytes = 1'200;
  ChannelLog log(limits);
  for (int i = 0; i < 5; ++i) append(log, std::string(500, 'x'));
  EXPECT_EQ(log.counts().messages, 2U);
  EXPECT_LE(log.counts().bytes, 1'200U);
}

TEST_F(ChannelLogTest, ForgetsWhatIsTooOld) {
  auto limits = no_limits();
  limits.history_age = std::chrono::seconds(10);
  ChannelLog log(limits);
  append(log, "old");
  now_ += std::chrono::seconds(6);
  append(log, "young");
  log.forget_old(now_ + std::chrono::seconds(6));
  EXPECT_THAT(data_after(log, log.tail(10, kNoHorizon).from), ElementsAre("young"));
}

TEST_F(ChannelLogTest, KeepsBeyondTheHistoryWhatAReadersFloorStillNeeds) {
  ChannelLog log(history_of(1));
  const Cursor floor = log.end();
  log.set_floor(this, floor);
  for (const char* data : {"1", "2", "3"}) append(log, data);
  EXPECT_THAT(data_after(log, floor), ElementsAre("1", "2", "3"));
  log.set_floor(this, log.end());
  EXPECT_EQ(log.counts().messages, 1U);
}

TEST_F(ChannelLogTest, AFloorThatIsRemovedIsNeededNoMore) {
  ChannelLog log(history_of(1));
  log.set_floor(this, log.end());
  for (const char* data : {"1", "2", "3"}) append(log, data);
  log.remove_floor(this);
  EXPECT_EQ(log.counts().messages, 1U);
}

TEST_F(ChannelLogTest, NoFloorKeepsMoreThanHistoryAndQueueTogether) {
  auto limits = history_of(2);
  limits.queue_messages = 3;
  ChannelLog log(limits);
  const Cursor floor = log.end();
  log.set_floor(this, floor);
  for (int i = 1; i <= 10; ++i) append(log, std::to_string(i));
  EXPECT_EQ(log.counts().messages, 5U);
}

TEST_F(ChannelLogTest, WithoutHistoryTheNewestFrameStaysUntilTheReadersHaveIt) {
  auto limits = history_of(0);
  limits.queue_messages = 0;
  ChannelLog log(limits);
  const Cursor floor = log.end();
  log.set_floor(this, floor);
  append(log, "only");
  EXPECT_THAT(data_after(log, floor), ElementsAre("only"));
  log.set_floor(this, log.end());
  EXPECT_EQ(log.counts().messages, 0U);
}

TEST_F(ChannelLogTest, TellsAForgottenReaderHowManyMessagesItMissedAndWhereToGoOn) {
  ChannelLog log(history_of(1));
  const Cursor start = log.end();
  append(log, "first");
  append(log, "second");
  const Skip skip = log.skip(start, true, kNoHorizon);
  EXPECT_EQ(skip.missed, 1U);
  EXPECT_THAT(data_after(log, skip.to), ElementsAre("second"));
}

TEST_F(ChannelLogTest, ASkipLandsAtTheOldestFromWhichAllFitsTheQueue) {
  auto limits = no_limits();
  limits.queue_messages = 3;
  ChannelLog log(limits);
  const Cursor start = log.end();
  for (int i = 1; i <= 10; ++i) append(log, std::to_string(i));
  EXPECT_FALSE(log.is_within_queue(start, log.end()));
  const Skip skip = log.skip(start, true, kNoHorizon);
  EXPECT_EQ(skip.missed, 7U);
  EXPECT_THAT(data_after(log, skip.to), ElementsAre("8", "9", "10"));
  EXPECT_TRUE(log.is_within_queue(skip.to, log.end()));
}

TEST_F(ChannelLogTest, ASkipIsBoundByBytesToo) {
  auto limits = no_limits();
  limits.queue_bytes = 1'200;
  ChannelLog log(limits);
  for (int i = 0; i < 5; ++i) append(log, std::string(500, 'x'));
  EXPECT_EQ(log.skip({}, true, kNoHorizon).missed, 3U);
}

TEST_F(ChannelLogTest, AMessageLargerThanTheQueueIsStillDelivered) {
  auto limits = no_limits();
  limits.queue_bytes = 100;
  ChannelLog log(limits);
  const Cursor start = log.end();
  append(log, std::string(500, 'x'));
  EXPECT_TRUE(log.is_within_queue(start, log.end()));
  append(log, std::string(500, 'y'));
  const Skip skip = log.skip(start, true, kNoHorizon);
  EXPECT_EQ(skip.missed, 1U);
  EXPECT_EQ(data_after(log, skip.to).size(), 1U);
}

TEST_F(ChannelLogTest, WhoSkipsIsToldOfTheSharedGapsAmongWhatItSkips) {
  auto limits = no_limits();
  limits.queue_messages = 1;
  ChannelLog log(limits);
  append(log, "1");
  append_gap(log, std::nullopt, GapReason::kBusDown);
  append(log, "2");
  append_gap(log, 1, GapReason::kTooLarge);
  append(log, "3");
  append(log, "4");
  const Skip skip = log.skip({}, true, kNoHorizon);
  EXPECT_EQ(skip.missed, 3U) << "the gaps count their own";
  ASSERT_EQ(skip.gaps.size(), 2U);
  EXPECT_EQ(skip.gaps[0].reason, GapReason::kBusDown);
  EXPECT_EQ(skip.gaps[0].missed, std::nullopt);
  EXPECT_EQ(skip.gaps[1].reason, GapReason::kTooLarge);
  EXPECT_EQ(skip.gaps[1].missed, 1U);
}

TEST_F(ChannelLogTest, SharedGapsAreRememberedAfterTheLogForgotThem) {
  ChannelLog log(history_of(1));
  const Cursor start = log.end();
  append_gap(log, std::nullopt, GapReason::kBusDown);
  for (const char* data : {"1", "2", "3"}) append(log, data);
  const Skip skip = log.skip(start, true, kNoHorizon);
  EXPECT_EQ(skip.missed, 2U);
  ASSERT_EQ(skip.gaps.size(), 1U);
  EXPECT_EQ(skip.gaps[0].reason, GapReason::kBusDown);
}

TEST_F(ChannelLogTest, ThousandsOfForgottenGapsAreFewAndTheirSumIsExact) {
  ChannelLog log(history_of(1));
  const Cursor start = log.end();
  for (int i = 0; i < 5'000; ++i) {
    append_gap(log, 1, GapReason::kTooLarge);
    append(log, "x");
  }
  const Skip skip = log.skip(start, true, kNoHorizon);
  EXPECT_LE(skip.gaps.size(), GapList::kGapsMax);
  EXPECT_EQ(skip.missed, 4'999U);
  EXPECT_EQ(skip.gaps.missed(), 4'999U) << "the last one is read";
}

TEST_F(ChannelLogTest, GapsAndEndsInTurnNeverTakeEachOthersPlace) {
  ChannelLog log(history_of(1));
  const Cursor start = log.end();
  for (int i = 0; i < 10; ++i) append(log, "x");
  append_gap(log, 1, GapReason::kTooLarge);
  const Sequence first_end = append(log, end_message());
  for (int i = 0; i < 200; ++i) {
    append(log, "of a later run");
    append_gap(log, std::nullopt, GapReason::kBusDown);
    append(log, end_message());
  }
  const Skip skip = log.skip(start, true, kNoHorizon);
  ASSERT_NE(skip.end, nullptr);
  EXPECT_EQ(skip.to.sequence, first_end);
  EXPECT_EQ(skip.missed, 10U);
  EXPECT_EQ(skip.gaps.missed(), 1U) << "those behind the end are not for this reader";
}

TEST_F(ChannelLogTest, AnEndThatTheMemoryLimitTookIsCountedAsMissed) {
  ChannelLog log(history_of(1));
  const Cursor start = log.end();
  append(log, "1");
  append(log, end_message());
  append(log, "2");
  append(log, "3");
  log.evict_front();
  EXPECT_EQ(data_after(log, log.skip(start, true, kNoHorizon).to), Strings{"3"});
  EXPECT_EQ(log.skip(start, true, kNoHorizon).missed, 3U);
  EXPECT_TRUE(log.was_evicted(start));
}

TEST_F(ChannelLogTest, ASkipNeverPassesAnEnd) {
  auto limits = no_limits();
  limits.queue_messages = 2;
  ChannelLog log(limits);
  for (int i = 1; i <= 5; ++i) append(log, std::to_string(i));
  append(log, end_message());
  for (int i = 1; i <= 5; ++i) append(log, "later");
  const Skip skip = log.skip({}, true, kNoHorizon);
  EXPECT_EQ(skip.missed, 4U);
  EXPECT_EQ(skip.end, nullptr) << "the end itself fits";
  std::vector<LogEntry> entries;
  log.read(skip.to, kNoHorizon, kNoLimit, entries);
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(data_of(*entries[0].frame), "5");
  EXPECT_EQ(entries[1].frame->kind(), FrameKind::kEnd);
}

TEST_F(ChannelLogTest, AForgottenEndIsStillWhereAReaderLands) {
  ChannelLog log(history_of(1));
  const Cursor start = log.end();
  append(log, "1");
  append(log, end_message());
  for (int i = 1; i <= 5; ++i) append(log, "later");
  const Skip skip = log.skip(start, true, kNoHorizon);
  ASSERT_NE(skip.end, nullptr);
  EXPECT_EQ(skip.end->kind(), FrameKind::kEnd);
  EXPECT_EQ(skip.missed, 1U) << "what came after the end was not for this reader";
}

TEST_F(ChannelLogTest, ConflationKeepsTheNewestMessageOfEachTypeInOrder) {
  auto limits = history_of(1);
  limits.keeps_latest = true;
  ChannelLog log(limits);
  const Cursor start = log.end();
  append(log, message_of("rare", "c"));
  for (int i = 1; i <= 20; ++i) {
    append(log, message_of("a" + std::to_string(i), "a"));
    append(log, message_of("b" + std::to_string(i), "b"));
  }
  const Skip skip = log.conflate(start, kNoHorizon, kNoLimit);
  Strings data;
  for (const LogEntry& entry : skip.conflated) data.push_back(data_of(*entry.frame));
  EXPECT_THAT(data, ElementsAre("rare", "a20", "b20"));
  EXPECT_EQ(skip.to.sequence, log.end().sequence);
}

// A reader that lands at the end of a run gets no message of the next one in place of its own.
TEST_F(ChannelLogTest, ConflationKeepsTheNewestMessageOfEachRun) {
  auto limits = history_of(1);
  limits.keeps_latest = true;
  ChannelLog log(limits);
  const Cursor start = log.end();
  for (const char* data : {"1", "2", "3"}) append(log, message_of(data, "a"));
  append(log, end_message());
  const Cursor second_run = log.end();
  for (const char* data : {"4", "5", "6"}) append(log, message_of(data, "a"));
  append(log, end_message());
  append(log, message_of("7", "a"));
  append(log, message_of("8", "a"));
  for (const auto& [from, newest] : {std::pair(start, "3"), std::pair(second_run, "6")}) {
    const Skip skip = log.conflate(from, kNoHorizon, kNoLimit);
    ASSERT_EQ(skip.conflated.size(), 1U);
    EXPECT_EQ(data_of(*skip.conflated[0].frame), newest);
    EXPECT_NE(skip.end, nullptr);
    EXPECT_EQ(skip.missed, 0U);
  }
}

TEST_F(ChannelLogTest, ConflationKeepsTheNewest64TypesAndTellsOfSharedGaps) {
  auto limits = history_of(1);
  limits.keeps_latest = true;
  ChannelLog log(limits);
  append_gap(log, std::nullopt, GapReason::kBusDown);
  for (int i = 1; i <= 100; ++i) append(log, message_of(std::to_string(i), "type" + std::to_string(i)));
  const Skip skip = log.conflate({}, kNoHorizon, kNoLimit);
  ASSERT_EQ(skip.conflated.size(), 64U);
  EXPECT_EQ(data_of(*skip.conflated.front().frame), "37");
  EXPECT_EQ(skip.missed, 36U) << "types beyond 64 are dropped, counted and told";
  EXPECT_EQ(skip.gaps.size(), 1U);
}

TEST_F(ChannelLogTest, WhatWasDroppedIsCountedForEachReaderFromItsOwnPlace) {
  auto limits = history_of(1);
  limits.keeps_latest = true;
  ChannelLog log(limits);
  std::vector<Cursor> cursors{log.end()};
  for (int i = 0; i < 1'000; ++i) {
    append(log, message_of(std::to_string(i), "type" + std::to_string(i % 100)));
    cursors.push_back(log.end());
  }
  for (const std::size_t seen : {0, 1, 500, 935, 936, 999}) {
    const Skip skip = log.conflate(cursors[seen], kNoHorizon, kNoLimit);
    EXPECT_EQ(skip.missed.value() + skip.conflated.size(), 1'000 - seen) << seen;
  }
}

TEST_F(ChannelLogTest, WhatWasReplacedByANewerOneOfItsTypeIsNotDropped) {
  auto limits = history_of(1);
  limits.keeps_latest = true;
  ChannelLog log(limits);
  const Cursor start = log.end();
  for (int i = 0; i < 100; ++i) {
    append(log, message_of("again", "often"));
    append(log, message_of("once", "type" + std::to_string(i)));
  }
  const Skip skip = log.conflate(start, kNoHorizon, kNoLimit);
  EXPECT_EQ(skip.conflated.size(), 64U);
  EXPECT_EQ(skip.missed, 37U) << "63 of the 100 and the one that comes often are kept";
}

TEST_F(ChannelLogTest, ConflationStopsAtItsBytesAndGoesOnFromThereTellingEachGapOnce) {
  auto limits = history_of(1);
  limits.keeps_latest = true;
  ChannelLog log(limits);
  append_gap(log, std::nullopt, GapReason::kBusDown);
  for (int i = 1; i <= 5; ++i) append(log, message_of(std::string(1'000, 'x'), "a" + std::to_string(i)));
  append_gap(log, 1, GapReason::kTooLarge);
  for (int i = 1; i <= 5; ++i) append(log, message_of(std::string(1'000, 'x'), "b" + std::to_string(i)));
  append(log, end_message());
  std::size_t messages = 0;
  std::size_t rounds = 0;
  std::vector<GapReason> gaps;
  for (Skip skip; skip.end == nullptr; ++rounds) {
    skip = log.conflate(skip.to, kNoHorizon, 3'000);
    EXPECT_LE(skip.conflated.size(), 2U);
    messages += skip.conflated.size();
    for (const SharedGap& gap : skip.gaps) gaps.push_back(gap.reason);
    ASSERT_LT(rounds, 10U);
  }
  EXPECT_EQ(messages, 10U);
  EXPECT_THAT(gaps, ElementsAre(GapReason::kBusDown, GapReason::kTooLarge));
}

TEST_F(ChannelLogTest, FindsAPositionByItsSequence) {
  ChannelLog log(no_limits());
  sequence_ = 10;
  log.begin(10);
  const Sequence first = append(log, "first");
  sequence_ = 20;  // Other channels' messages lie in between.
  append(log, "second");
  const auto find = [&](Sequence sequence) { return log.find_in_history(sequence, kNoHorizon); };
  ASSERT_TRUE(find(first));
  EXPECT_THAT(data_after(log, find(first)->cursor), ElementsAre("second"));
  EXPECT_THAT(data_after(log, find(15)->cursor), ElementsAre("second"));
  EXPECT_THAT(data_after(log, find(10)->cursor), ElementsAre("first", "second"));
  EXPECT_FALSE(find(9).has_value()) << "from before the log began";
}

TEST_F(ChannelLogTest, APositionWhoseFollowersAreForgottenSaysSo) {
  ChannelLog log(history_of(1));
  log.begin(1);
  sequence_ = 1;
  const Sequence first = append(log, "1");
  const Sequence second = append(log, "2");
  append(log, "3");
  EXPECT_TRUE(log.find_in_history(first, kNoHorizon)->is_forgotten);
  EXPECT_FALSE(log.find_in_history(second, kNoHorizon)->is_forgotten) << "all that follows it is there";
}

TEST_F(ChannelLogTest, WhoBeginsStandsBehindWhatIsForgottenAndMissesNothingByIt) {
  ChannelLog log(history_of(1));
  sequence_ = 1;
  const Sequence first = append(log, "1");
  append(log, "2");
  append(log, "3");
  EXPECT_EQ(log.at(first).ordinal, 2U);
  EXPECT_THAT(data_after(log, log.at(first)), ElementsAre("3"));
  EXPECT_EQ(log.at(sequence_).sequence, log.end().sequence);
}

TEST_F(ChannelLogTest, WhoComesBackIsGivenTheHistoryAloneThoughMoreIsKeptForOthers) {
  ChannelLog log(history_of(2));
  log.begin(1);
  sequence_ = 1;
  log.set_floor(this, log.end());
  const Sequence first = append(log, "1");
  for (const char* data : {"2", "3", "4"}) append(log, data);
  EXPECT_EQ(log.counts().messages, 4U);
  EXPECT_THAT(data_after(log, log.at(first)), ElementsAre("2", "3", "4"))
      << "a live reader may still read on";
  EXPECT_TRUE(log.find_in_history(first, kNoHorizon)->is_forgotten);
  EXPECT_THAT(data_after(log, log.skip_to_history({first, 0, 0}, kNoHorizon).to), ElementsAre("3", "4"));
  EXPECT_THAT(data_after(log, log.tail(10, kNoHorizon).from), ElementsAre("3", "4"));
  EXPECT_FALSE(log.find_in_history(first + 1, kNoHorizon)->is_forgotten);
}

TEST_F(ChannelLogTest, WhatIsAppendedWhileAReaderComesBackIsNoHistory) {
  ChannelLog log(history_of(0));
  log.begin(1);
  sequence_ = 1;
  log.set_floor(this, log.end());
  append(log, "live");
  EXPECT_FALSE(log.find_in_history(1, 1)->is_forgotten);
}

TEST_F(ChannelLogTest, ATailIsCountedByMessagesNotByGaps) {
  ChannelLog log(no_limits());
  append(log, "1");
  append(log, "2");
  append_gap(log, std::nullopt, GapReason::kBusDown);
  append(log, "3");
  std::vector<LogEntry> entries;
  log.read(log.tail(2, kNoHorizon).from, kNoHorizon, kNoLimit, entries);
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(data_of(*entries[0].frame), "2");
  EXPECT_EQ(entries[1].frame->kind(), FrameKind::kGap);
  EXPECT_EQ(log.tail(0, kNoHorizon).from.sequence, log.end().sequence);
  EXPECT_EQ(log.tail(100, kNoHorizon).from.sequence, 0U);
}

TEST_F(ChannelLogTest, ATailThatCanNotReachAsFarAsAskedSaysHowMuchIsMissing) {
  ChannelLog log(history_of(100));
  log.begin(1);
  sequence_ = 1;
  for (int i = 1; i <= 300; ++i) append(log, std::to_string(i));
  const auto missed = [&](std::size_t asked) { return log.tail(asked, kNoHorizon).missed; };
  EXPECT_EQ(missed(100), 0U);
  EXPECT_EQ(missed(101), 1U);
  EXPECT_EQ(missed(10'000), 200U) << "the channel never had more than 300";
  EXPECT_EQ(data_after(log, log.tail(10'000, kNoHorizon).from).front(), "201");
  EXPECT_TRUE(log.find_in_history(log.tail(10'000, kNoHorizon).run_begin, kNoHorizon)->is_forgotten)
      << "whoever is cut at once is told again";
}

TEST_F(ChannelLogTest, ATailTellsOfTheSharedGapsAmongWhatIsMissing) {
  ChannelLog log(history_of(2));
  append_gap(log, 1, GapReason::kTooLarge);
  append(log, "1");
  append_gap(log, std::nullopt, GapReason::kBusDown);
  for (const char* data : {"2", "3", "4"}) append(log, data);
  EXPECT_EQ(log.tail(2, kNoHorizon).gaps.size(), 0U);
  EXPECT_EQ(log.tail(3, kNoHorizon).gaps.size(), 0U) << "it lies before the third last";
  ASSERT_EQ(log.tail(4, kNoHorizon).gaps.size(), 1U);
  EXPECT_EQ(log.tail(4, kNoHorizon).gaps[0].reason, GapReason::kBusDown);
}

TEST_F(ChannelLogTest, ATailBeginsBehindTheLastEnd) {
  ChannelLog log(no_limits());
  append(log, "of the first run");
  append(log, end_message());
  for (const char* data : {"1", "2"}) append(log, data);
  EXPECT_THAT(data_after(log, log.tail(10, kNoHorizon).from), ElementsAre("1", "2"));
  EXPECT_EQ(log.tail(10, kNoHorizon).missed, 0U) << "the first run was not asked for";
}

TEST_F(ChannelLogTest, ATailOfAChannelThatHasEndedIsItsLastRunAndTheEnd) {
  ChannelLog log(no_limits());
  append(log, "of the first run");
  append(log, end_message());
  append(log, "1");
  const Sequence end = append(log, end_message());
  std::vector<LogEntry> entries;
  log.read(log.tail(10, end).from, end, kNoLimit, entries);
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(data_of(*entries[0].frame), "1");
  EXPECT_EQ(entries[1].frame->kind(), FrameKind::kEnd);
  append(log, "of the next run");
  EXPECT_EQ(data_after(log, log.tail(10, kNoHorizon).from), Strings{"of the next run"});
  entries.clear();
  log.read(log.tail(10, end).from, end, kNoLimit, entries);
  EXPECT_EQ(entries.size(), 2U) << "what came meanwhile does not matter";
}

TEST_F(ChannelLogTest, KnowsWhatWentBecauseOfTheMemoryLimit) {
  ChannelLog log(no_limits());
  const Cursor start = log.end();
  append(log, "1");
  append(log, "2");
  log.evict_front();
  EXPECT_TRUE(log.was_evicted(start));
  const Skip skip = log.skip(start, true, kNoHorizon);
  EXPECT_EQ(skip.missed, 1U);
  EXPECT_FALSE(log.was_evicted(skip.to));
}

}  // namespace
}  // namespace weir
