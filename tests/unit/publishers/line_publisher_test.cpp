#include "publishers/log/line_publisher.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace weir {
namespace {

using Ending = Publisher::Ending;
using Payloads = std::vector<std::string>;

// Takes messages of at most `bytes_max` bytes.
struct Receiver {
  std::size_t bytes_max = 1 << 20;
  Payloads published;
  Payloads keys;  // Of these.
  std::function<void()> on_publish = [] {};
};

class ReceiverSink : public Sink {
 public:
  explicit ReceiverSink(Receiver& receiver) : receiver_(receiver) {}
  BatchResult publish(const std::string& channel, const Messages& messages, const std::stop_token& stop,
                      const WhileWaiting& while_waiting) override {
    EXPECT_EQ(channel, "news");
    receiver_.on_publish();
    if (stop.stop_requested()) return {.outcome = Outcome::kStopped, .error = {}};
    if (while_waiting) while_waiting();
    BatchResult result;
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const std::string& payload = messages.payload(i);
      if (payload.size() > receiver_.bytes_max) {
        result.outcome = Outcome::kTooLarge;
        result.error = "too large";
        break;
      }
      receiver_.published.push_back(payload);
      if (messages.has_keys()) receiver_.keys.emplace_back(messages.key(i));
      ++result.confirmed;
    }
    return result;
  }
  BatchResult publish_end(const std::string&, const std::string&, const std::stop_token&) override {
    return {.confirmed = 1, .error = {}};
  }

 private:
  Receiver& receiver_;
};

class LinePublisherTest : public ::testing::Test {
 protected:
  Ending publish(std::vector<Line> lines, const WhileWaiting& while_waiting = {}) {
    batch_ = LinePublisher::encode(std::move(lines), encoder_, has_keys_);
    LinePublisher lines_publisher(work_, 0);
    return lines_publisher.publish("news", batch_, encoder_, stop_.get_token(), while_waiting);
  }
  // The text that the messages carry, put together.
  std::string text() const {
    std::string text;
    for (const auto& payload : receiver_.published) {
      const auto start = payload.find(R"("msg":")") + 7;
      text += payload.substr(start, payload.find('"', start) - start);
      if (payload.find(R"("more":true)") == std::string::npos) text += "|";
    }
    return text;
  }

  Receiver receiver_;
  Publisher publisher_{std::make_unique<ReceiverSink>(receiver_),
                       {.retry = std::chrono::seconds(0), .unknown = UnknownPolicy::kRepeat}};
  ProgramMetrics metrics_{publisher_};
  std::stop_source stop_;
  const std::string channel_ = "news";
  const std::map<std::string, std::string> sources_{};
  Work work_{publisher_, channel_, stop_.get_token(), sources_, metrics_};
  LineEncoder encoder_{"", true};
  bool has_keys_ = false;
  LinePublisher::Batch batch_;
};

TEST_F(LinePublisherTest, PublishesLinesInOrder) {
  EXPECT_EQ(publish({{"one"}, {"two"}}), Ending::kDone);
  EXPECT_EQ(receiver_.published, (Payloads{R"({"msg":"one"})", R"({"msg":"two"})"}));
  EXPECT_TRUE(batch_.lines.empty());
  EXPECT_TRUE(batch_.messages.empty());
}

TEST_F(LinePublisherTest, CutsALineThatIsTooLargeIntoPiecesThatFit) {
  receiver_.bytes_max = 300;
  const std::string large(10'000, 'x');
  EXPECT_EQ(publish({{"before"}, {large}, {"after"}}), Ending::kDone);
  EXPECT_EQ(text(), "before|" + large + "|after|");
}

TEST_F(LinePublisherTest, CutsNoCharacterAndKeepsACrOfTheLine) {
  receiver_.bytes_max = 200;
  std::string large;
  for (int n = 0; n < 500; ++n) large += "\xF0\x9F\x8C\x8A";
  EXPECT_EQ(publish({{large + "\r"}}), Ending::kDone);
  EXPECT_EQ(text(), large + "\\r|");
}

TEST_F(LinePublisherTest, EachMessageHasAKeyOfItsPlace) {
  has_keys_ = true;
  EXPECT_EQ(publish({{"one", false, {.life = 0xAB, .offset = 10}},
                     {"", false, {.life = 0xAB, .offset = 14}},
                     {"two", false, {.life = 0xAB, .offset = 14, .part = 1}}}),
            Ending::kDone);
  EXPECT_EQ(receiver_.keys, (Payloads{"ab:10+3", "ab:14+0", "ab:14+3p1"}));
  EXPECT_TRUE(batch_.keys.empty());
}

TEST_F(LinePublisherTest, NoTwoPiecesOfALineHaveOneKey) {
  has_keys_ = true;
  receiver_.bytes_max = 150;
  EXPECT_EQ(
      publish(
          {{"before"}, {std::string(1'000, 'x'), false, {.offset = 7}}, {"after", false, {.offset = 1'008}}}),
      Ending::kDone);
  ASSERT_EQ(receiver_.keys.size(), receiver_.published.size());
  const std::set<std::string> keys(receiver_.keys.begin(), receiver_.keys.end());
  EXPECT_EQ(keys.size(), receiver_.keys.size());
  EXPECT_GE(keys.size(), 8U);
  const auto first = receiver_.keys;
  receiver_.keys.clear();
  publish({{"before"}, {std::string(1'000, 'x'), false, {.offset = 7}}, {"after", false, {.offset = 1'008}}});
  EXPECT_EQ(receiver_.keys, first) << "the same ones again after a restart";
}

TEST_F(LinePublisherTest, APieceOfALineStaysAPieceWhenItIsCut) {
  receiver_.bytes_max = 200;
  const std::string large(1'000, 'x');
  EXPECT_EQ(publish({{large, true}, {"rest"}}), Ending::kDone);
  EXPECT_EQ(text(), large + "rest|");
}

TEST_F(LinePublisherTest, SkipsWhatCannotBeCutCountsItAndGoesOn) {
  receiver_.bytes_max = 100;
  const std::string object = R"({"a":")" + std::string(1'000, 'x') + R"("})";
  EXPECT_EQ(publish({{"before"}, {object}, {"after"}}), Ending::kDone);
  EXPECT_EQ(receiver_.published, (Payloads{R"({"msg":"before"})", R"({"msg":"after"})"}));
  EXPECT_NE(metrics_.text().find("weir_publisher_messages_too_large_total 1"), std::string::npos)
      << metrics_.text();
}

TEST_F(LinePublisherTest, GivesUpALineOfWhichTheReceiverTakesNotEvenPieces) {
  receiver_.bytes_max = 20;
  EXPECT_EQ(publish({{std::string(1'000, 'x')}, {"after"}}), Ending::kDone);
  EXPECT_EQ(receiver_.published, Payloads{R"({"msg":"after"})"});
}

TEST_F(LinePublisherTest, CallsWhileWaitingOnceForABatchThoughALineOfItIsCut) {
  receiver_.bytes_max = 300;
  int calls = 0;
  EXPECT_EQ(publish({{"before"}, {std::string(10'000, 'x')}, {"after"}}, [&] { ++calls; }), Ending::kDone);
  EXPECT_EQ(calls, 1);
}

TEST_F(LinePublisherTest, KeepsWhatAStopLeft) {
  stop_.request_stop();
  EXPECT_EQ(publish({{"one"}, {"two"}}), Ending::kStopped);
  EXPECT_EQ(batch_.lines.size(), 2U);
  EXPECT_EQ(batch_.messages.size(), 2U);
}

TEST_F(LinePublisherTest, ABurstLeavesAtOnceAndAStopEndsTheWaitForTheRate) {
  int waits = 0;
  LinePublisher paced(work_, 1, [&] {
    ++waits;
    stop_.request_stop();
  });
  const auto batch = LinePublisher::encode({{std::string(1'000'000, 'x')}}, encoder_, false);
  for (int n = 0; n < 4; ++n) EXPECT_TRUE(paced.await_turn(batch, stop_.get_token()));
  EXPECT_TRUE(paced.await_turn(batch, stop_.get_token()))
      << "What is left of the burst counts for all of it.";
  EXPECT_FALSE(paced.await_turn(batch, stop_.get_token()));
  EXPECT_EQ(waits, 1);
}

}  // namespace
}  // namespace weir
