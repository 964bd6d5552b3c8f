#include "broker/hub/history_reader.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tests/unit/hub/fake_streams.h"

namespace weir {
namespace {

using std::chrono::steady_clock;
using Outcome = StreamReadResult::Outcome;

// Births, whose first 13 digits are a time.
constexpr std::uint64_t kOld = 1'760'000'000'000'111'111;
constexpr std::uint64_t kNew = 1'760'000'900'000'222'222;

class HistoryReaderTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kPagesMax = 1 << 20;
  static constexpr std::size_t kAsksMax = 500;

  struct Answer {
    bool is_done = false;
    PagePtr page;
    Located place;
    HistoryReader::Tail tail;
  };
  using AnswerPtr = std::shared_ptr<Answer>;

  HistoryReaderTest() { start(); }
  void start(std::size_t page_bytes_max = kPagesMax) {
    history_ = std::make_unique<HistoryReader>(encoder_, frames_, page_bytes_max, kAsksMax);
    history_->set_streams(streams_);
    history_->on_readable(true);
  }
  // Messages `first` to `last` of `birth`, one in a millisecond from `time` on.
  void fill(std::uint64_t birth, std::uint64_t first, std::uint64_t last, std::uint64_t time = 0,
            std::size_t bytes = 10) {
    for (std::uint64_t n = first; n <= last; ++n)
      streams_.add("news", {{birth, n}, time + n, std::string(bytes, 'x')});
  }
  AnswerPtr read(const StreamId& from, bool is_fresh = false) { return read(durable_, from, is_fresh); }
  AnswerPtr read(const ChannelStreamPtr& stream, const StreamId& from, bool is_fresh = false) {
    const auto answer = std::make_shared<Answer>();
    history_->read(
        stream, from, is_fresh,
        [answer](PagePtr page) {
          EXPECT_FALSE(answer->is_done);
          answer->is_done = true;
          answer->page = std::move(page);
        },
        [this] { return is_wanted_; });
    return answer;
  }
  PagePtr page_at(const StreamId& from) {
    const auto answer = read(from);
    streams_.answer_all();
    EXPECT_TRUE(answer->is_done);
    return answer->page;
  }
  AnswerPtr ask(const ChannelStreamPtr& stream, const Wish& wish) {
    const auto answer = std::make_shared<Answer>();
    history_->locate(
        stream, wish,
        [answer](Located place) {
          EXPECT_FALSE(answer->is_done);
          answer->is_done = true;
          answer->place = place;
        },
        [this] { return is_wanted_; });
    return answer;
  }
  Located locate(const ChannelStreamPtr& stream, const Wish& wish) {
    const auto answer = ask(stream, wish);
    streams_.answer_all();
    EXPECT_TRUE(answer->is_done);
    EXPECT_FALSE(answer->place.is_refused);
    return answer->place;
  }
  Located newest(std::uint64_t number) {
    return locate(durable_, {.kind = Wish::Kind::kNewest, .number = number});
  }
  Located since(std::uint64_t time) { return locate(durable_, {.kind = Wish::Kind::kSince, .number = time}); }
  AnswerPtr tail() {
    const auto answer = std::make_shared<Answer>();
    history_->read_tail(
        durable_,
        [answer](HistoryReader::Tail tail) {
          EXPECT_FALSE(answer->is_done);
          answer->is_done = true;
          answer->tail = std::move(tail);
        },
        [this] { return is_wanted_; });
    return answer;
  }

  std::shared_ptr<FrameBytes> frames_ = std::make_shared<FrameBytes>();
  EntryEncoder encoder_{1 << 20, frames_};
  FakeStreams streams_;
  std::unique_ptr<HistoryReader> history_;
  bool is_wanted_ = true;
  ChannelStreamPtr durable_ =
      std::make_shared<ChannelStream>("news", StreamKind::kDurable, EnvelopeMode::kAuto);
  ChannelStreamPtr followed_ =
      std::make_shared<ChannelStream>("news", StreamKind::kFollowed, EnvelopeMode::kAuto);
};

TEST_F(HistoryReaderTest, ReadsThePageBehindAPosition) {
  fill(kOld, 1, 3);
  const PagePtr page = page_at({kOld, 1});
  ASSERT_TRUE(page);
  ASSERT_EQ(page->entries.size(), 3U) << "the page is aligned";
  EXPECT_EQ(page->first, (StreamId{kOld, 1}));
  EXPECT_EQ(page->entries[2].frame->stream_id(), (StreamId{kOld, 3}));
  EXPECT_EQ(page->entries[2].time, 3U);
  EXPECT_TRUE(page->is_last);
}

TEST_F(HistoryReaderTest, ReadsAPageOnceForAllWhoAskAtTheSameTime) {
  fill(kOld, 1, 3);
  const auto first = read({kOld, 0});
  const auto second = read({kOld, 1});
  const auto third = read({kOld, 2});
  EXPECT_EQ(streams_.asked, 1U);
  streams_.answer_all();
  ASSERT_TRUE(first->is_done && second->is_done && third->is_done);
  EXPECT_EQ(first->page, second->page);
  EXPECT_EQ(first->page, third->page);
  EXPECT_EQ(streams_.asked, 1U);
}

TEST_F(HistoryReaderTest, FindsAPageThatWasReadBefore) {
  fill(kOld, 1, 3);
  EXPECT_EQ(history_->find(*durable_, {kOld, 1}), nullptr);
  const PagePtr page = page_at({kOld, 0});
  EXPECT_EQ(history_->find(*durable_, {kOld, 0}), page);
  EXPECT_EQ(history_->find(*durable_, {kOld, 2}), page);
  EXPECT_EQ(history_->find(*durable_, {kOld, 3}), nullptr) << "it has nothing behind it";
  EXPECT_EQ(history_->find(*durable_, {kNew, 0}), nullptr);
  EXPECT_EQ(history_->find({"other", StreamKind::kDurable, EnvelopeMode::kAuto}, {kOld, 1}), nullptr);
  EXPECT_EQ(history_->counts().pages_found, 2U);
  EXPECT_EQ(history_->counts().pages_read, 1U);
}

TEST_F(HistoryReaderTest, AFreshReadIsNotThatOfSomebodyElse) {
  fill(kOld, 1, 3);
  const auto first = read({kOld, 3});
  const auto fresh = read({kOld, 3}, true);
  EXPECT_EQ(streams_.asked, 2U);
  ASSERT_TRUE(streams_.answer());
  fill(kOld, 4, 4);
  streams_.answer_all();
  ASSERT_TRUE(first->is_done && fresh->is_done);
  ASSERT_TRUE(fresh->page);
  EXPECT_FALSE(first->page->reaches_past({kOld, 3}));
  EXPECT_TRUE(fresh->page->reaches_past({kOld, 3}));
}

TEST_F(HistoryReaderTest, WhoComesLaterJoinsTheFreshRead) {
  fill(kOld, 1, 3);
  read({kOld, 0});
  const auto fresh = read({kOld, 0}, true);
  const auto later = read({kOld, 0});
  EXPECT_EQ(streams_.asked, 2U);
  streams_.answer_all();
  ASSERT_TRUE(fresh->is_done && later->is_done);
  EXPECT_EQ(fresh->page, later->page);
}

TEST_F(HistoryReaderTest, WhoComesBetweenTheStepsOfAReadReadsAnew) {
  fill(kOld, 1, 3);
  const auto first = read({kOld, 7});
  ASSERT_TRUE(streams_.answer());  // The entries. What stands before and the end are asked for next.
  EXPECT_FALSE(first->is_done);
  const std::size_t asked = streams_.asked;
  const auto second = read({kOld, 7});
  EXPECT_EQ(streams_.asked, asked + 1);
  streams_.answer_all();
  EXPECT_TRUE(first->is_done && second->is_done);
}

TEST_F(HistoryReaderTest, ReadsAPageAgainThatHasGrown) {
  fill(kOld, 1, 2);
  const PagePtr old_page = page_at({kOld, 0});
  fill(kOld, 3, 3);
  const PagePtr page = page_at({kOld, 2});
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->reaches_past({kOld, 2}));
  EXPECT_EQ(history_->find(*durable_, {kOld, 0}), page) << "it took the old one's place";
  EXPECT_EQ(history_->counts().pages, 1U);
}

TEST_F(HistoryReaderTest, MakesPagesLargerOnceItHasSeenEntries) {
  fill(kOld, 1, 300);
  EXPECT_EQ(page_at({kOld, 0})->entries.size(), kPageMessagesUnseen);
  const PagePtr page = page_at({kOld, 1});
  EXPECT_EQ(page->entries.size(), kPageMessagesMax);
  EXPECT_FALSE(page->is_last);
  EXPECT_EQ(page_at({kOld, 256})->entries.front().frame->stream_id(), (StreamId{kOld, 257}));
}

TEST_F(HistoryReaderTest, AsksForTheEndOnlyWherePastTheLastEntry) {
  fill(kOld, 1, 3);
  page_at({kOld, 2});
  EXPECT_EQ(streams_.asked, 1U) << "it has an entry behind it";
  page_at({kOld, 3});
  EXPECT_EQ(streams_.asked, 2U) << "it is the last entry";
  const PagePtr page = page_at({kOld, 4});
  EXPECT_EQ(streams_.asked, 4U);
  EXPECT_EQ(page->end, (StreamId{kOld, 3}));
}

TEST_F(HistoryReaderTest, ReadsAgainWhatCameBeforeTheEndWasRead) {
  fill(kOld, 1, 3);
  const auto answer = read({kOld, 4});
  ASSERT_TRUE(streams_.answer());
  EXPECT_FALSE(answer->is_done) << "it asks for the end";
  fill(kOld, 4, 5);
  streams_.answer_all();
  ASSERT_TRUE(answer->is_done);
  EXPECT_TRUE(answer->page->reaches_past({kOld, 4}));
  EXPECT_FALSE(step_from(*answer->page, {kOld, 4}, StreamKind::kDurable).gap);
}

TEST_F(HistoryReaderTest, ReadsAgainWhatCameForOneWhoWaitsBehindAnotherWhoHasIt) {
  fill(kOld, 1, 1);
  const auto behind = read({kOld, 1});
  const auto ahead = read({kOld, 3});  // Another gateway has given it the third already.
  ASSERT_TRUE(streams_.answer());
  fill(kOld, 2, 3);
  streams_.answer_all();
  ASSERT_TRUE(behind->is_done && ahead->is_done);
  ASSERT_EQ(behind->page->entries.size(), 3U);
  EXPECT_FALSE(step_from(*behind->page, {kOld, 1}, StreamKind::kDurable).gap);
  EXPECT_FALSE(step_from(*behind->page, {kOld, 3}, StreamKind::kDurable).gap);
}

TEST_F(HistoryReaderTest, WhatComesWhileTheEndIsReadIsNotMissing) {
  streams_.add("news", {{7, 0}, 7, "x"});
  streams_.trimmed.insert("news");
  const auto answer = read(followed_, {5, 0});  // Which is gone.
  while (!streams_.reads.empty() && !streams_.reads.front().first.wants_end) ASSERT_TRUE(streams_.answer());
  ASSERT_FALSE(answer->is_done);
  streams_.add("news", {{8, 0}, 8, "x"});
  streams_.answer_all();
  ASSERT_TRUE(answer->is_done);
  const PageStep step = step_from(*answer->page, {5, 0}, StreamKind::kFollowed);
  ASSERT_TRUE(step.gap);
  EXPECT_EQ(step.index, 0U);
  ASSERT_EQ(answer->page->entries.size(), 1U);
  EXPECT_FALSE(step_from(*answer->page, {7, 0}, StreamKind::kFollowed).gap) << "8-0 is still to be read";
}

TEST_F(HistoryReaderTest, AStreamThatGoesOnDuringTheSecondReadWasNotReset) {
  streams_.trimmed.insert("news");
  streams_.ends["news"] = {5, 0};
  const auto answer = read(followed_, {5, 0});
  while (!streams_.reads.empty() && !streams_.reads.front().first.wants_end) ASSERT_TRUE(streams_.answer());
  streams_.add("news", {{7, 0}, 7, "x"});
  ASSERT_TRUE(streams_.answer());
  streams_.add("news", {{8, 0}, 8, "x"});
  streams_.answer_all();
  ASSERT_TRUE(answer->is_done);
  ASSERT_EQ(answer->page->entries.size(), 2U);
  EXPECT_FALSE(step_from(*answer->page, {8, 0}, StreamKind::kFollowed).gap);
}

TEST_F(HistoryReaderTest, OfAStreamThatIsNotThereTheEndIsTheBegin) {
  const PagePtr page = page_at({kOld, 4});
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->is_last);
  EXPECT_EQ(page->end, kStreamBegin);
  EXPECT_FALSE(page->before);
  EXPECT_EQ(history_->counts().pages, 0U) << "nothing to keep";
}

TEST_F(HistoryReaderTest, OfAStreamThatWasTrimmedTheEndIsKnown) {
  fill(kOld, 1, 3);
  streams_.trim("news", 0);
  EXPECT_EQ(page_at({kOld, 2})->end, (StreamId{kOld, 3}));
}

TEST_F(HistoryReaderTest, LooksForTheEntryBeforeAPageThatBeginsInAnotherBirth) {
  fill(kOld, 1, 4);
  fill(kNew, 5, 6);
  durable_->entry_bytes = 256 << 10;  // One entry a page.
  const PagePtr page = page_at({kOld, 4});
  ASSERT_EQ(page->entries.size(), 1U);
  EXPECT_EQ(page->before, (StreamId{kOld, 4}));
  EXPECT_EQ(streams_.asked, 2U);
  EXPECT_FALSE(step_from(*page, {kOld, 4}, StreamKind::kDurable).gap);
}

TEST_F(HistoryReaderTest, OfAFollowedStreamLooksForTheEntryBeforeWhereThePositionIsGone) {
  for (const std::uint64_t ms : {10, 20, 30}) streams_.add("news", {{ms, 0}, ms, "x"});
  const auto at = [&](const StreamId& from) {
    const auto answer = read(followed_, from);
    streams_.answer_all();
    return answer->page;
  };
  EXPECT_FALSE(at({10, 0})->before);
  EXPECT_EQ(streams_.asked, 1U) << "the page begins with it";
  EXPECT_EQ(at({15, 0})->before, (StreamId{10, 0}));
  EXPECT_FALSE(at({5, 0})->before) << "there is none";
  EXPECT_FALSE(at(kStreamBegin)->before);
}

TEST_F(HistoryReaderTest, OfAFollowedStreamAPageServesEveryPositionInIt) {
  for (const std::uint64_t ms : {10, 20, 30}) streams_.add("news", {{ms, 0}, ms, "x"});
  const auto answer = read(followed_, {10, 0});
  streams_.answer_all();
  EXPECT_EQ(history_->find(*followed_, {10, 0}), answer->page);
  EXPECT_EQ(history_->find(*followed_, {20, 0}), answer->page);
  EXPECT_EQ(history_->find(*followed_, {30, 0}), nullptr);
  EXPECT_EQ(history_->find(*followed_, {9, 0}), nullptr) << "what it missed is not known here";
}

TEST_F(HistoryReaderTest, WaitsWhileRedisIsAwayAndAsksAgain) {
  fill(kOld, 1, 3);
  const auto answer = read({kOld, 0});
  ASSERT_TRUE(streams_.answer(Outcome::kAway));
  history_->on_readable(false);
  EXPECT_FALSE(answer->is_done);
  EXPECT_TRUE(streams_.reads.empty());
  EXPECT_EQ(history_->counts().waiting, 1U);
  const auto other = tail();
  EXPECT_TRUE(streams_.reads.empty()) << "nothing is asked while it is away";
  history_->on_readable(true);
  EXPECT_EQ(streams_.reads.size(), 2U);
  streams_.answer_all();
  ASSERT_TRUE(answer->is_done && other->is_done);
  EXPECT_TRUE(answer->page);
}

TEST_F(HistoryReaderTest, AnAnswerThatRedisIsAwayIsNotAskedAgainAtOnce) {
  fill(kOld, 1, 3);
  const auto answer = read({kOld, 0});
  ASSERT_TRUE(streams_.answer(Outcome::kAway));
  EXPECT_TRUE(streams_.reads.empty()) << "it would be for ever, if nobody says that streams can't be read";
  history_->tick(steady_clock::now());
  streams_.answer_all();
  EXPECT_TRUE(answer->is_done);
}

TEST_F(HistoryReaderTest, WhoIsAnsweredAtOnceThatRedisIsAwayWaits) {
  // A bus that has closed answers before read() returns.
  class Closed final : public FakeStreams {
   public:
    void read(StreamRead, ReadDone done) override {
      ASSERT_LT(++asked, 100U);
      done({.outcome = Outcome::kAway, .why = "closed"});
    }
  } closed;
  history_->set_streams(closed);
  const auto answer = read({kOld, 0});
  history_->tick(steady_clock::now());
  EXPECT_FALSE(answer->is_done);
  EXPECT_LE(closed.asked, 2U);
}

TEST_F(HistoryReaderTest, GivesNoPageIfRedisRefuses) {
  const auto first = read({kOld, 0});
  const auto second = read({kOld, 1});
  ASSERT_TRUE(streams_.answer(Outcome::kRefused));
  EXPECT_TRUE(first->is_done && second->is_done);
  EXPECT_FALSE(first->page);
  const auto end = read({kOld, 4});
  ASSERT_TRUE(streams_.answer());
  while (!streams_.reads.empty()) streams_.answer(Outcome::kRefused);
  EXPECT_TRUE(end->is_done);
  EXPECT_FALSE(end->page) << "half a page is none";
  const auto place = ask(durable_, {.kind = Wish::Kind::kNewest, .number = 1});
  ASSERT_TRUE(streams_.answer(Outcome::kRefused));
  ASSERT_TRUE(place->is_done);
  EXPECT_TRUE(place->place.is_refused);
  const auto newest = tail();
  ASSERT_TRUE(streams_.answer(Outcome::kRefused));
  ASSERT_TRUE(newest->is_done);
  EXPECT_TRUE(newest->tail.is_refused);
  EXPECT_EQ(newest->tail.why, "why");
}

TEST_F(HistoryReaderTest, HasOnlySoManyReadsUnderWay) {
  std::vector<AnswerPtr> answers;
  for (std::size_t i = 0; i < HistoryReader::kReadsMax + 10; ++i) answers.push_back(tail());
  EXPECT_EQ(streams_.reads.size(), HistoryReader::kReadsMax);
  EXPECT_EQ(history_->counts().waiting, 10U);
  fill(kOld, 1, 1);
  ASSERT_TRUE(streams_.answer());
  EXPECT_EQ(streams_.reads.size(), HistoryReader::kReadsMax) << "the next takes its place";
  streams_.answer_all();
  for (const AnswerPtr& answer : answers) EXPECT_TRUE(answer->is_done);
}

TEST_F(HistoryReaderTest, RefusesWhoComesPastTheLimitOfQuestions) {
  history_->on_readable(false);
  std::vector<AnswerPtr> answers;
  for (std::size_t i = 0; i < kAsksMax / 2; ++i) answers.push_back(tail());
  for (std::size_t i = 0; i < kAsksMax / 2; ++i) answers.push_back(read({kOld, 0}));
  for (const AnswerPtr& answer : answers) EXPECT_FALSE(answer->is_done);
  const auto page = read({kOld, 0});
  const auto newest = tail();
  const auto place = ask(durable_, {.kind = Wish::Kind::kNewest, .number = 1});
  ASSERT_TRUE(page->is_done && newest->is_done && place->is_done);
  EXPECT_FALSE(page->page);
  EXPECT_TRUE(newest->tail.is_refused);
  EXPECT_TRUE(place->place.is_refused);
  history_->on_readable(true);
  streams_.answer_all();
  for (const AnswerPtr& answer : answers) EXPECT_TRUE(answer->is_done);
  const auto again = tail();
  streams_.answer_all();
  EXPECT_FALSE(again->tail.is_refused) << "there is room again";
}

TEST_F(HistoryReaderTest, LetsGoOfWhatNobodyWantsAnyMore) {
  history_->on_readable(false);
  std::vector<AnswerPtr> answers;
  for (std::size_t i = 0; i < kAsksMax / 2; ++i) answers.push_back(tail());
  for (std::size_t i = 0; i < kAsksMax / 2; ++i) answers.push_back(read({kOld, 0}));
  is_wanted_ = false;
  history_->tick(steady_clock::now());
  is_wanted_ = true;
  EXPECT_EQ(history_->counts().waiting, 0U);
  const auto page = read({kOld, 0});
  EXPECT_FALSE(page->is_done) << "there is room again";
  history_->on_readable(true);
  EXPECT_EQ(streams_.reads.size(), 1U);
  streams_.answer_all();
  EXPECT_TRUE(page->is_done);
  for (const AnswerPtr& answer : answers) EXPECT_FALSE(answer->is_done);
}

TEST_F(HistoryReaderTest, AsksOnForAPageThatOneOfSeveralStillWants) {
  history_->on_readable(false);
  const auto gone = read({kOld, 0});
  const auto answer = std::make_shared<Answer>();
  history_->read(
      durable_, {kOld, 0}, false, [answer](PagePtr) { answer->is_done = true; }, [] { return true; });
  is_wanted_ = false;
  history_->tick(steady_clock::now());
  history_->on_readable(true);
  streams_.answer_all();
  EXPECT_TRUE(answer->is_done);
}

TEST_F(HistoryReaderTest, KeepsPagesWithinTheirBytesAndTheLatestUsedLongest) {
  fill(kOld, 1, 40, 0, 1'000);
  durable_->entry_bytes = 64 << 10;  // Four entries a page.
  page_at({kOld, 0});
  const std::size_t bytes = history_->counts().page_bytes;
  EXPECT_GT(bytes, 4'000U);
  EXPECT_EQ(frames_->logged(), bytes);
  start(3 * bytes + bytes / 2);
  for (const std::uint64_t n : {0, 4, 8}) page_at({kOld, n});
  EXPECT_EQ(history_->counts().pages, 3U);
  EXPECT_TRUE(history_->find(*durable_, {kOld, 0}));
  page_at({kOld, 12});
  EXPECT_EQ(history_->counts().pages, 3U);
  EXPECT_TRUE(history_->find(*durable_, {kOld, 0})) << "it was used after the second";
  EXPECT_FALSE(history_->find(*durable_, {kOld, 4}));
  EXPECT_TRUE(history_->evict_oldest());
  EXPECT_FALSE(history_->find(*durable_, {kOld, 8}));
  EXPECT_EQ(history_->counts().pages, 2U);
  EXPECT_EQ(frames_->logged(), history_->counts().page_bytes);
  while (history_->evict_oldest()) {
  }
  EXPECT_EQ(history_->counts().page_bytes, 0U);
  EXPECT_EQ(frames_->logged(), 0U);
  EXPECT_EQ(frames_->total(), 0U);
}

TEST_F(HistoryReaderTest, APageThatIsLetGoIsStillThatOfWhoHasIt) {
  fill(kOld, 1, 3);
  const PagePtr page = page_at({kOld, 0});
  EXPECT_TRUE(history_->evict_oldest());
  EXPECT_EQ(page->entries.size(), 3U);
  EXPECT_GT(frames_->beside_logs(), 0U) << "it is counted as what is being sent";
}

TEST_F(HistoryReaderTest, LetsGoOfPagesThatWereNotUsedForLong) {
  fill(kOld, 1, 3);
  page_at({kOld, 0});
  history_->tick(steady_clock::now() + std::chrono::seconds(30));
  EXPECT_EQ(history_->counts().pages, 1U);
  history_->tick(steady_clock::now() + std::chrono::hours(1));
  EXPECT_EQ(history_->counts().pages, 0U);
}

TEST_F(HistoryReaderTest, EncodesEndsAndWhatIsTooLarge) {
  streams_.add("news", {{kOld, 1}, 1, R"({"type":"weir:end"})"});
  streams_.add("news", {{kOld, 2}, 2, {}, {}, true});
  const PagePtr page = page_at({kOld, 0});
  ASSERT_EQ(page->entries.size(), 2U);
  EXPECT_EQ(page->entries[0].frame->kind(), FrameKind::kEnd);
  EXPECT_EQ(page->entries[1].frame->kind(), FrameKind::kGap);
  EXPECT_EQ(page->entries[1].frame->gap_missed(), 1U);
  EXPECT_EQ(page->entries[1].frame->stream_id(), (StreamId{kOld, 2}));
}

TEST_F(HistoryReaderTest, ReadsTheNewestEntryAndItsTime) {
  fill(kOld, 1, 3, 100);
  const auto newest = tail();
  streams_.answer_all();
  EXPECT_EQ(newest->tail.id, (StreamId{kOld, 3}));
  EXPECT_EQ(newest->tail.time, 103U);
  streams_.trim("news", 0);
  const auto trimmed = tail();
  streams_.answer_all();
  EXPECT_EQ(trimmed->tail.id, (StreamId{kOld, 3})) << "it was given, though it is gone";
  EXPECT_EQ(trimmed->tail.time, 0U);
  streams_.remove("news");
  const auto gone = tail();
  streams_.answer_all();
  EXPECT_EQ(gone->tail.id, kStreamBegin);
}

TEST_F(HistoryReaderTest, FindsABirthByItsTime) {
  fill(kOld, 1, 3);
  fill(kNew, 4, 6);
  const auto find = [&](std::uint64_t birth, std::uint64_t n) {
    return locate(durable_, {.kind = Wish::Kind::kBirth, .from = {birth / 1'000'000 * 1'000'000, n}});
  };
  EXPECT_EQ(find(kOld, 2).position, (StreamId{kOld, 2}));
  EXPECT_EQ(find(kNew, 5).position, (StreamId{kNew, 5}));
  EXPECT_EQ(find(kOld, 9).position, (StreamId{kOld, 9})) << "which Redis has lost";
  const std::uint64_t between = kOld / 1'000'000 * 1'000'000 + 5'000'000;
  const Located lost = find(between, 4);
  EXPECT_GT(lost.position, (StreamId{kOld, 3}));
  EXPECT_LT(lost.position, (StreamId{kNew, 0})) << "where it was";
}

TEST_F(HistoryReaderTest, FindsTheNewestByTheirNumber) {
  fill(kOld, 1, 3);
  fill(kNew, 4, 6);
  EXPECT_EQ(newest(1).position, (StreamId{kNew, 5}));
  EXPECT_EQ(newest(2).position, (StreamId{kNew, 4}));
  EXPECT_EQ(newest(4).position, (StreamId{kOld, 2}));
  for (const std::uint64_t all : {std::uint64_t{6}, std::uint64_t{7}, ~std::uint64_t{0}}) {
    const Located whole = newest(all);
    EXPECT_LT(whole.position, (StreamId{kOld, 1}));
    EXPECT_FALSE(whole.gap);
  }
  const Located three = newest(3);  // Behind 3 of the old birth, before 4 of the new one.
  EXPECT_GE(three.position, (StreamId{kOld, 3}));
  EXPECT_LT(three.position, (StreamId{kNew, 4}));
  EXPECT_FALSE(three.gap);
}

TEST_F(HistoryReaderTest, SaysHowManyOfTheNewestWereTrimmed) {
  fill(kOld, 1, 3);
  fill(kNew, 4, 6);
  streams_.trim("news", 2);
  EXPECT_FALSE(newest(2).gap);
  const Located five = newest(5);
  EXPECT_EQ(five.position, (StreamId{kNew, 4}));
  ASSERT_TRUE(five.gap);
  EXPECT_EQ(five.gap->missed, 3U);
  EXPECT_EQ(five.gap->reason, GapReason::kHistory);
  ASSERT_TRUE(newest(~std::uint64_t{0}).gap);
  EXPECT_EQ(newest(~std::uint64_t{0}).gap->missed, 4U);
  streams_.trim("news", 0);
  const Located none = newest(2);
  EXPECT_EQ(none.position, (StreamId{kNew, 6}));
  ASSERT_TRUE(none.gap);
  EXPECT_EQ(none.gap->missed, 2U);
}

TEST_F(HistoryReaderTest, OfAStreamWithoutMessagesEverythingIsItsBegin) {
  EXPECT_EQ(newest(5).position, kStreamBegin);
  EXPECT_FALSE(newest(5).gap);
  EXPECT_EQ(since(5).position, kStreamBegin);
  EXPECT_FALSE(since(5).gap);
}

TEST_F(HistoryReaderTest, FindsATimeInEachBirth) {
  fill(kOld, 1, 50, 1'000);   // 1001 to 1050.
  fill(kNew, 51, 90, 2'000);  // 2051 to 2090.
  for (std::uint64_t n = 2; n <= 50; ++n) EXPECT_EQ(since(1'000 + n).position, (StreamId{kOld, n - 1})) << n;
  for (std::uint64_t n = 52; n <= 90; ++n) EXPECT_EQ(since(2'000 + n).position, (StreamId{kNew, n - 1})) << n;
  for (const std::uint64_t time : {0, 1, 1'001}) {
    EXPECT_LT(since(time).position, (StreamId{kOld, 1})) << time;
    EXPECT_FALSE(since(time).gap) << "the stream's first message is there";
  }
  EXPECT_EQ(since(1'500).position, (StreamId{kOld, 50})) << "while Redis was away";
  EXPECT_EQ(since(2'091).position, (StreamId{kNew, 90}));
  EXPECT_EQ(since(~std::uint64_t{0}).position, (StreamId{kNew, 90}));
}

TEST_F(HistoryReaderTest, FindsATimeThoughEntriesWereDeleted) {
  fill(kOld, 1, 50, 1'000);
  auto& stream = streams_.entries["news"];
  std::erase_if(stream, [](const StreamEntry& entry) { return entry.id.n % 7 == 3; });
  for (const StreamEntry& entry : stream) {
    const StreamId position = since(entry.time).position;
    EXPECT_LT(position, entry.id);
    for (const StreamEntry& other : stream) {
      if (other.time < entry.time) {
        EXPECT_LE(other.id, position) << "nothing older than " << entry.time;
      }
    }
  }
}

TEST_F(HistoryReaderTest, SaysThatWhatWasTrimmedMayBeOfThatTime) {
  fill(kOld, 1, 9, 1'000);
  streams_.trim("news", 3);
  EXPECT_EQ(since(1'000).position, (StreamId{kOld, 6}));
  ASSERT_TRUE(since(1'000).gap);
  EXPECT_EQ(since(1'000).gap->missed, std::nullopt);
  EXPECT_FALSE(since(1'008).gap);
}

TEST_F(HistoryReaderTest, FindsTheLastEndThroughAllPages) {
  fill(kOld, 1, 600);
  auto& stream = streams_.entries["news"];
  for (const std::size_t index : {2, 300, 450}) stream[index].payload = R"({"type":"weir:end"})";
  const auto find = [&](const StreamId& from) {
    return locate(durable_, {.kind = Wish::Kind::kLastEnd, .from = from}).position;
  };
  EXPECT_EQ(find(kStreamBegin), (StreamId{kOld, 451}));
  EXPECT_EQ(find({kOld, 310}), (StreamId{kOld, 451}));
  EXPECT_EQ(find({kOld, 451}), (StreamId{kOld, 451}));
  EXPECT_EQ(find({kOld, 500}), (StreamId{kOld, 500})) << "there is none behind it";
  EXPECT_EQ(find({kOld, 600}), (StreamId{kOld, 600}));
}

TEST_F(HistoryReaderTest, SearchesForTheLastEndInPagesAtHand) {
  fill(kOld, 1, 600);
  durable_->entry_bytes = 10;
  locate(durable_, {.kind = Wish::Kind::kLastEnd, .from = {kOld, 0}});
  const std::size_t asked = streams_.asked;
  locate(durable_, {.kind = Wish::Kind::kLastEnd, .from = {kOld, 0}});
  EXPECT_EQ(streams_.asked, asked + 1) << "the last page alone may have grown";
}

TEST_F(HistoryReaderTest, OfAFollowedStreamFindsPlacesByCountAndTime) {
  for (std::uint64_t ms = 10; ms <= 2'000; ms += 10) streams_.add("news", {{ms, 0}, ms, "x"});
  const auto number = [&](std::uint64_t n) {
    return locate(followed_, {.kind = Wish::Kind::kNewest, .number = n}).position;
  };
  const auto time = [&](std::uint64_t ms) {
    return locate(followed_, {.kind = Wish::Kind::kSince, .number = ms}).position;
  };
  EXPECT_EQ(number(1), (StreamId{1'990, 0}));
  EXPECT_EQ(number(100), (StreamId{1'000, 0}));
  EXPECT_EQ(number(199), (StreamId{10, 0}));
  EXPECT_EQ(number(200), kStreamAnew) << "all that was asked for is there";
  for (const std::uint64_t more : {std::uint64_t{201}, ~std::uint64_t{0}})
    EXPECT_EQ(number(more), kStreamBegin);
  EXPECT_EQ(time(1'000), (StreamId{990, 0}));
  EXPECT_EQ(time(1'001), (StreamId{1'000, 0}));
  EXPECT_EQ(time(10), kStreamBegin);
  EXPECT_EQ(time(0), kStreamBegin);
  EXPECT_EQ(time(3'000), (StreamId{2'000, 0}));
}

TEST_F(HistoryReaderTest, OfAnEmptyFollowedStreamEverythingIsItsBegin) {
  EXPECT_EQ(locate(followed_, {.kind = Wish::Kind::kNewest, .number = 3}).position, kStreamBegin);
  EXPECT_EQ(locate(followed_, {.kind = Wish::Kind::kSince, .number = 3}).position, kStreamBegin);
}

TEST_F(HistoryReaderTest, ASearchGoesOnWhenRedisIsBack) {
  fill(kOld, 1, 50, 1'000);
  const auto answer = ask(durable_, {.kind = Wish::Kind::kSince, .number = 1'020});
  for (int i = 0; i < 100 && !answer->is_done; ++i) {
    ASSERT_TRUE(streams_.answer(i % 2 == 0 ? Outcome::kAway : Outcome::kRead));
    history_->on_readable(true);
  }
  ASSERT_TRUE(answer->is_done);
  EXPECT_EQ(answer->place.position, (StreamId{kOld, 19}));
}

}  // namespace
}  // namespace weir
