#include "publishers/delivery/publisher.h"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <limits>

namespace weir {
namespace {

using Ending = Publisher::Ending;
using std::chrono::milliseconds;

// A sink whose answers are told before; after them everything is published.
class ScriptedSink : public Sink {
 public:
  struct Record {
    std::deque<BatchResult> answers;
    std::vector<std::vector<std::string>> batches;
    std::vector<std::string> published;
    int ends = 0;
    std::function<void()> on_publish = [] {};
  };
  explicit ScriptedSink(Record& record) : record_(record) {}

  BatchResult publish(const std::string& channel, const Messages& messages, const std::stop_token&,
                      const WhileWaiting& while_waiting) override {
    EXPECT_EQ(channel, "news");
    record_.batches.emplace_back(messages.payloads().begin(), messages.payloads().end());
    record_.on_publish();
    if (while_waiting) while_waiting();
    BatchResult result{.confirmed = messages.size(), .error = {}};
    if (!record_.answers.empty()) {
      result = record_.answers.front();
      record_.answers.pop_front();
    }
    for (std::size_t i = 0; i < result.confirmed; ++i) record_.published.push_back(messages.payload(i));
    return result;
  }
  BatchResult publish_end(const std::string&, const std::string&, const std::stop_token&) override {
    ++record_.ends;
    return {.confirmed = 1, .error = {}};
  }

 private:
  Record& record_;
};

class PublisherTest : public ::testing::Test {
 protected:
  Publisher make(UnknownPolicy unknown = UnknownPolicy::kRepeat,
                 std::chrono::seconds retry = std::chrono::seconds(0)) {
    return Publisher(std::make_unique<ScriptedSink>(sink_), {.retry = retry,
                                                             .unknown = unknown,
                                                             .backoff_first = milliseconds(1),
                                                             .backoff_max = milliseconds(2)});
  }

  ScriptedSink::Record sink_;
  const std::vector<std::string> abc_{"a", "b", "c"};
  std::stop_source stop_;
};

TEST_F(PublisherTest, PublishesABatchAtOnce) {
  auto publisher = make();
  const auto progress = publisher.publish("news", abc_, stop_.get_token());
  EXPECT_EQ(progress.ending, Ending::kDone);
  EXPECT_EQ(progress.settled, 3U);
  EXPECT_EQ(sink_.batches.size(), 1U);
  EXPECT_EQ(publisher.counts().published, 3U);
}

TEST_F(PublisherTest, HasNoMoreMessagesWithKeysUnderWayThanAreKnownByThem) {
  const std::vector<std::string> payloads(2 * kKeyedMessagesMax, "x");
  auto publisher = make();
  publisher.publish("news", Messages(payloads, payloads), stop_.get_token());
  ASSERT_EQ(sink_.batches.size(), 2U);
  EXPECT_EQ(sink_.batches[0].size(), kKeyedMessagesMax);
}

TEST_F(PublisherTest, AStopLeavesWhatMayBeRepeatedUnderItsKeyToTheCaller) {
  const BatchResult stopped{.outcome = Outcome::kStopped, .confirmed = 1, .unknown = 2, .error = {}};
  sink_.answers = {stopped, stopped, stopped};
  auto publisher = make(UnknownPolicy::kRepeat);
  EXPECT_EQ(publisher.publish("news", Messages(abc_, abc_), {}).settled, 1U);
  EXPECT_EQ(publisher.counts().skipped, 0U);
  EXPECT_EQ(publisher.publish("news", abc_, {}).settled, 3U) << "without keys";
  EXPECT_EQ(make(UnknownPolicy::kSkip).publish("news", Messages(abc_, abc_), {}).settled, 3U);
}

TEST_F(PublisherTest, TriesAgainWhatIsKnownToHaveFailed) {
  sink_.answers = {{.outcome = Outcome::kFailed, .error = "away"},
                   {.outcome = Outcome::kFailed, .confirmed = 1, .error = "away"}};
  auto publisher = make();
  EXPECT_EQ(publisher.publish("news", abc_, stop_.get_token()).ending, Ending::kDone);
  EXPECT_EQ(sink_.published, abc_);
  EXPECT_EQ(sink_.batches.back(), (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ(publisher.counts().repeated, 0U);
}

TEST_F(PublisherTest, RepeatsWhatHasAnUnknownOutcome) {
  sink_.answers = {{.outcome = Outcome::kUnknown, .confirmed = 1, .unknown = 1, .error = "lost"}};
  auto publisher = make(UnknownPolicy::kRepeat);
  EXPECT_EQ(publisher.publish("news", abc_, stop_.get_token()).ending, Ending::kDone);
  EXPECT_EQ(sink_.batches.back(), (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ(publisher.counts().repeated, 1U);
  EXPECT_EQ(publisher.counts().skipped, 0U);
}

TEST_F(PublisherTest, SkipsWhatHasAnUnknownOutcomeIfAskedTo) {
  sink_.answers = {{.outcome = Outcome::kUnknown, .confirmed = 1, .unknown = 1, .error = "lost"}};
  auto publisher = make(UnknownPolicy::kSkip);
  EXPECT_EQ(publisher.publish("news", abc_, stop_.get_token()).ending, Ending::kDone);
  EXPECT_EQ(sink_.batches.back(), (std::vector<std::string>{"c"}));
  EXPECT_EQ(publisher.counts().repeated, 0U);
  EXPECT_EQ(publisher.counts().skipped, 1U);
}

TEST_F(PublisherTest, GivesUpAtOnceWhenItIsRefused) {
  sink_.answers = {{.outcome = Outcome::kRefused, .confirmed = 1, .error = "NOPERM"}};
  auto publisher = make();
  const auto progress = publisher.publish("news", abc_, stop_.get_token());
  EXPECT_EQ(progress.ending, Ending::kGaveUp);
  EXPECT_EQ(progress.settled, 1U);
  EXPECT_EQ(sink_.batches.size(), 1U);
}

TEST_F(PublisherTest, GivesUpWhenItFailsForTooLong) {
  sink_.answers.resize(10'000, {.outcome = Outcome::kFailed, .error = "away"});
  auto publisher = make(UnknownPolicy::kRepeat, std::chrono::seconds(1));
  EXPECT_EQ(publisher.publish("news", abc_, stop_.get_token()).ending, Ending::kGaveUp);
  EXPECT_GT(sink_.batches.size(), 1U);
}

TEST_F(PublisherTest, StopsInTheMiddleOfARetry) {
  sink_.answers.resize(10'000, {.outcome = Outcome::kFailed, .error = "away"});
  sink_.on_publish = [&] {
    if (sink_.batches.size() == 3) stop_.request_stop();
  };
  auto publisher = make();
  EXPECT_EQ(publisher.publish("news", abc_, stop_.get_token()).ending, Ending::kStopped);
  EXPECT_EQ(sink_.batches.size(), 3U);
}

TEST_F(PublisherTest, BoundsWhatOneAttemptCanLeaveUnknown) {
  const std::vector<std::string> many(3'000, "x");
  auto publisher = make();
  EXPECT_EQ(publisher.publish("news", many, stop_.get_token()).settled, 3'000U);
  EXPECT_EQ(sink_.published.size(), 3'000U);
  for (const auto& batch : sink_.batches) EXPECT_LE(batch.size(), 1'024U);
}

TEST_F(PublisherTest, SendsAMessageThatIsLargerThanABatch) {
  const std::vector<std::string> large(2, std::string(1 << 20, 'x'));
  auto publisher = make();
  EXPECT_EQ(publisher.publish("news", large, stop_.get_token()).settled, 2U);
  EXPECT_EQ(sink_.batches.size(), 2U);
}

TEST_F(PublisherTest, CountsBytesOfConfirmedMessagesAndFailures) {
  sink_.answers = {{.outcome = Outcome::kFailed, .confirmed = 1, .error = "away"}};
  auto publisher = make();
  publisher.publish("news", std::vector<std::string>{"12345", "123"}, stop_.get_token());
  publisher.publish_end("news", {}, stop_.get_token());
  const auto counts = publisher.counts();
  EXPECT_EQ(counts.published, 3U);
  EXPECT_EQ(counts.published_bytes, 8U);
  EXPECT_EQ(counts.failures, 1U);
  EXPECT_TRUE(counts.is_up);
}

TEST_F(PublisherTest, PublishesTheEnd) {
  auto publisher = make();
  EXPECT_EQ(publisher.publish_end("news", {}, stop_.get_token()), Ending::kDone);
  EXPECT_EQ(sink_.ends, 1);
}

TEST_F(PublisherTest, CallsWhileWaitingOnceHoweverOftenTheLastBatchIsTried) {
  auto publisher = make();
  sink_.answers = {{.outcome = Outcome::kUnknown, .confirmed = 1, .unknown = 2, .error = "cut"}};
  const std::vector<std::string> many(1'500, "x");
  int calls = 0;
  EXPECT_EQ(publisher.publish("news", many, stop_.get_token(), [&] { ++calls; }).ending, Ending::kDone);
  EXPECT_EQ(calls, 1);
}

TEST_F(PublisherTest, EndsBeforeAMessageThatIsTooLargeAndCanGoOnBehindIt) {
  auto publisher = make();
  sink_.answers = {{.outcome = Outcome::kTooLarge, .confirmed = 1, .error = "413"}};
  const auto progress = publisher.publish("news", abc_, stop_.get_token());
  EXPECT_EQ(progress.ending, Ending::kTooLarge);
  EXPECT_EQ(progress.settled, 1U);
  EXPECT_EQ(publisher.publish("news", "c", stop_.get_token()), Ending::kDone);
}

}  // namespace
}  // namespace weir
