// The demo's two ways to publish: a script, and messages at a rate.
#include "publishers/demo/player.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "proto/envelope.h"
#include "publishers/demo/load.h"

namespace weir {
namespace {

using Ending = Publisher::Ending;
using Payloads = std::vector<std::string>;
using std::chrono::microseconds;

struct Received {
  std::vector<Payloads> batches;
  std::size_t payload_bytes_max = std::string::npos;  // What the receiver takes.
  std::function<void()> on_batch = [] {};

  Payloads all() const {
    Payloads payloads;
    for (const auto& batch : batches) payloads.insert(payloads.end(), batch.begin(), batch.end());
    return payloads;
  }
};

class ListSink : public Sink {
 public:
  explicit ListSink(Received& received) : received_(received) {}
  BatchResult publish(const std::string&, const Messages& messages, const std::stop_token&,
                      const WhileWaiting&) override {
    Payloads taken;
    for (const auto& payload : messages.payloads()) {
      if (payload.size() > received_.payload_bytes_max) break;
      taken.push_back(payload);
    }
    received_.batches.push_back(taken);
    received_.on_batch();
    if (taken.size() == messages.size()) return {.confirmed = taken.size(), .error = {}};
    return {.outcome = Outcome::kTooLarge, .confirmed = taken.size(), .error = "too much"};
  }
  BatchResult publish_end(const std::string&, const std::string&, const std::stop_token&) override {
    return {.confirmed = 1, .error = {}};
  }

 private:
  Received& received_;
};

class DemoTest : public ::testing::Test {
 protected:
  Received received_;
  Publisher publisher_{std::make_unique<ListSink>(received_),
                       {.retry = std::chrono::seconds(0), .unknown = UnknownPolicy::kRepeat}};
  std::stop_source stop_;
};

class PlayerTest : public DemoTest {
 protected:
  Ending play(std::vector<Step> script, bool has_stamps = false) {
    return Player(publisher_, "demo", std::move(script), has_stamps).play(stop_.get_token());
  }
};

TEST_F(PlayerTest, PublishesEachMessageInOrder) {
  EXPECT_EQ(play({{microseconds(0), "a"}, {microseconds(1), "b"}, {microseconds(5'000), "c"}}),
            Ending::kDone);
  EXPECT_EQ(received_.all(), (Payloads{"a", "b", "c"}));
}

TEST_F(PlayerTest, NoMessageComesBeforeItsTime) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(play({{microseconds(0), "a"}, {microseconds(30'000), "b"}}), Ending::kDone);
  EXPECT_GE(std::chrono::steady_clock::now() - start, microseconds(30'000));
}

TEST_F(PlayerTest, MessagesOfOneTimeLeaveTogether) {
  EXPECT_EQ(play(std::vector<Step>(300, {microseconds(0), "a"})), Ending::kDone);
  EXPECT_EQ(received_.all(), Payloads(300, "a"));
  EXPECT_EQ(received_.batches.size(), 3U);
}

TEST_F(PlayerTest, AStopEndsTheWaitForTheNextMessage) {
  received_.on_batch = [&] { stop_.request_stop(); };
  EXPECT_EQ(play({{microseconds(0), "a"}, {std::chrono::hours(1), "b"}}), Ending::kStopped);
  EXPECT_EQ(received_.all(), Payloads{"a"});
}

TEST_F(PlayerTest, StampsObjectsIfToldSo) {
  EXPECT_EQ(play({{microseconds(0), "{}"}, {microseconds(0), "5"}}, true), Ending::kDone);
  const auto payloads = received_.all();
  EXPECT_TRUE(payloads.at(0).starts_with(R"({"time":1)")) << payloads.at(0);
  EXPECT_EQ(payloads.at(1), "5");
}

TEST_F(PlayerTest, EndsAtAMessageThatIsTooLargeForTheReceiver) {
  received_.payload_bytes_max = 3;
  EXPECT_EQ(play({{microseconds(0), "abc"}, {microseconds(0), "abcd"}, {microseconds(0), "a"}}),
            Ending::kTooLarge);
  EXPECT_EQ(received_.all(), Payloads{"abc"});
}

class LoadTest : public DemoTest {
 protected:
  Ending publish(const LoadOptions& options) {
    return publish_load(publisher_, "demo", options, stop_.get_token());
  }
};

TEST_F(LoadTest, AMessageHasNumberTimeAndSize) {
  EXPECT_EQ(load_message(12, 1'796'019'746'836, 64),
            R"({"msg":"xxxxxxxxxxxxxxxxxxxxxxxxxx","n":12,"time":1796019746836})");
  for (const std::uint64_t n : {std::uint64_t{1}, std::uint64_t{999'999}, ~std::uint64_t{0}}) {
    for (const std::size_t size : {kLoadMessageBytesMin, std::size_t{1'000}}) {
      const auto message = load_message(n, 1'796'019'746'836, size);
      EXPECT_EQ(message.size(), size);
      EXPECT_TRUE(is_json(message)) << message;
    }
  }
}

TEST_F(LoadTest, CountsFromOneAndEndsAtTheCount) {
  EXPECT_EQ(publish({.rate = 1'000'000, .count = 3'000}), Ending::kDone);
  const auto payloads = received_.all();
  ASSERT_EQ(payloads.size(), 3'000U);
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    EXPECT_NE(payloads[i].find("\"n\":" + std::to_string(i + 1) + ","), std::string::npos) << payloads[i];
  }
  EXPECT_LT(received_.batches.size(), 100U);
}

TEST_F(LoadTest, ComesOneByOneAtALowRate) {
  EXPECT_EQ(publish({.rate = 100, .count = 5}), Ending::kDone);
  EXPECT_EQ(received_.batches.size(), 5U);
}

TEST_F(LoadTest, DoesNotOutrunItsRate) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(publish({.rate = 1'000, .count = 250}), Ending::kDone);
  // A tenth of a second may be saved up.
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(140));
}

TEST_F(LoadTest, AStopEndsTheWaitForTheNextMessage) {
  received_.on_batch = [&] { stop_.request_stop(); };
  EXPECT_EQ(publish({.rate = 1}), Ending::kStopped);
  EXPECT_EQ(received_.all().size(), 1U);
}

TEST_F(LoadTest, EndsIfItsMessagesAreTooLargeForTheReceiver) {
  received_.payload_bytes_max = 99;
  EXPECT_EQ(publish({.rate = 1'000, .size = 100}), Ending::kTooLarge);
}

}  // namespace
}  // namespace weir
