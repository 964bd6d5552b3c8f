#include "broker/hub/stream_filler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "broker/base/metrics.h"
#include "broker/config.h"
#include "broker/hub/hub.h"
#include "tests/unit/fanout/stream_reader.h"
#include "tests/unit/hub/fake_streams.h"

namespace weir {
namespace {

using std::chrono::steady_clock;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using Outcome = FakeStreams::Outcome;

constexpr std::chrono::seconds kDeadline{20};  // Reached by failing tests alone.

// Births, whose first 13 digits are a time.
constexpr std::uint64_t kOld = 1'760'000'000'000'111'111;
constexpr std::uint64_t kNew = 1'760'000'900'000'222'222;

// A bus that has streams, and nothing else.
class StreamBus : public Bus {
 public:
  void start() override {}
  void stop() override {}
  void subscribe(std::string) override {}
  void unsubscribe(std::string) override {}
  void record(std::string) override {}
  void publish(std::string, std::string, PublishDone done) override {
    done({PublishOutcome::kDelivered, 1, {}});
  }
  Streams* streams() override { return &fake; }
  BusState state() const override { return {}; }

  FakeStreams fake;
};

std::string payload_of(std::uint64_t n) { return "m" + std::to_string(n); }

// As told_to() shows it.
std::string message(std::uint64_t birth, std::uint64_t n) {
  return format_stream_id({birth, n}) + " " + payload_of(n);
}
std::string gap(const std::string& missed, const std::string& reason, const StreamId& position,
                const std::string& channel = "news") {
  return format_stream_id(position) + R"( {"channel":")" + channel + R"(","missed":)" + missed +
         R"(,"reason":")" + reason + R"("})";
}

// The test is the bus thread. Reads are answered when it says so.
class StreamFillerTest : public ::testing::Test {
 protected:
  StreamFillerTest() {
    config_.shards = 1;
    config_.durable = {"news", "other", "third"};
    config_.channel_rules = {{.match = "followed", .settings = config_.channel, .is_stream = true}};
  }
  ~StreamFillerTest() override {
    if (hub_) hub_->stop();
  }

  void start() {
    hub_ = std::make_unique<Hub>(config_, 42);
    hub_->set_bus(bus_);
    hub_->start();
    listener().on_readable(true);
  }
  StreamListener& listener() { return *streams_.listener(); }

  std::optional<StreamReader> open(const std::string& channel,
                                   std::optional<std::string> last_event_id = {}) {
    auto admission = hub_->admit(IpAddress{});
    if (!admission.place) return std::nullopt;
    StreamReader reader;
    StreamRequest request;
    request.channels = {channel};
    request.encoding.form = Form::kChannel;
    request.last_event_id = std::move(last_event_id);
    request.head = "HTTP/1.1 200 OK\r\n\r\n";
    request.forbidden = [](std::string_view) { return "HTTP/1.1 403 Forbidden\r\n\r\n"; };
    const int socket = reader.take_socket();
    if (!hub_->open_stream(std::move(request), std::move(*admission.place), socket)) {
      ::close(socket);
      return std::nullopt;
    }
    return reader;
  }
  // A client of a live channel whose stream has the messages 1 to `last`, all of which it has seen.
  std::optional<StreamReader> open_live(std::uint64_t last, const std::string& channel = "news") {
    if (!hub_) start();
    for (std::uint64_t n = 1; n <= last; ++n) add(n, kOld, channel);
    auto reader = open(channel);
    listener().on_stream_subscribed(channel);
    streams_.answer_all();
    EXPECT_TRUE(reader && has_begun(*reader));
    return reader;
  }

  static StreamEntry entry(std::uint64_t n, std::uint64_t birth) {
    return {.id = {birth, n}, .time = 1, .payload = payload_of(n)};
  }
  // Appends message `n`, and nobody hears of it.
  void add(std::uint64_t n, std::uint64_t birth = kOld, const std::string& channel = "news") {
    streams_.add(channel, entry(n, birth));
  }
  void announce(std::uint64_t n, std::uint64_t birth = kOld, const std::string& channel = "news") {
    listener().on_announced(channel, entry(n, birth));
    hub_->listener().on_idle();
  }
  // What weir_publish does.
  void publish(std::uint64_t n, std::uint64_t birth = kOld, const std::string& channel = "news") {
    add(n, birth, channel);
    announce(n, birth, channel);
  }
  void publish_plain(const std::string& payload) {
    hub_->listener().on_message("news", payload);
    hub_->listener().on_idle();
  }

  // Where the channel's log ends; empty before it has begun.
  std::string log_end(const std::string& channel = "news") const { return hub_->info(channel).last_id; }
  bool is_live(const std::string& channel = "news") const { return hub_->info(channel).is_live; }
  double value_of(const std::string& metric) const {
    Metrics metrics;
    metrics.add_source([this](MetricsPage& page) { hub_->collect(page); });
    const std::string text = metrics.render();
    const auto found = text.find("\n" + metric + " ");
    if (found == std::string::npos) ADD_FAILURE() << "no " << metric;
    return found == std::string::npos ? 0 : std::stod(text.substr(found + metric.size() + 2));
  }
  double entries(const std::string& way) const {
    return value_of("weir_history_entries_total{way=\"" + way + "\"}");
  }
  double forged() const { return value_of("weir_history_announcements_forged_total"); }

  static bool eventually(const std::function<bool()>& is_true) {
    const auto deadline = steady_clock::now() + kDeadline;
    while (!is_true()) {
      if (steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }
  static bool has_begun(StreamReader& reader) {
    return eventually([&] {
      reader.read(1 << 20);
      return !reader.events().empty();
    });
  }
  static bool has_position(StreamReader& reader, const StreamId& id) {
    return eventually([&] {
      reader.read(1 << 20);
      return reader.last_event_id() == format_stream_id(id);
    });
  }
  static bool is_ended(StreamReader& reader) {
    return eventually([&] {
      reader.read(1 << 20);
      return reader.is_closed();
    });
  }
  // All that the client was told up to its event number `count`, which is awaited: "<id> <data>".
  static std::vector<std::string> told_to(StreamReader& reader, std::size_t count) {
    std::vector<std::string> told;
    eventually([&] {
      reader.read(1 << 20);
      told.clear();
      bool is_behind_gap = false;
      for (const ReceivedEvent& event : reader.events()) {
        if (event.has_data) told.push_back(event.id + " " + event.data);
        if (is_behind_gap) told.back().insert(0, event.id);  // A block of its own.
        is_behind_gap = event.type == "weir:gap";
      }
      return told.size() >= count;
    });
    return told;
  }

  Config config_;
  StreamBus bus_;
  FakeStreams& streams_ = bus_.fake;
  std::unique_ptr<Hub> hub_;
};

// --- The beginning

TEST_F(StreamFillerTest, AChannelBeginsBehindTheNewestEntry) {
  start();
  for (std::uint64_t n = 1; n <= 3; ++n) add(n);
  auto reader = open("news");
  EXPECT_THAT(streams_.wanted, ElementsAre("news"));
  listener().on_stream_subscribed("news");
  EXPECT_FALSE(is_live()) << "the newest entry is not known yet";
  EXPECT_EQ(log_end(), "");
  ASSERT_TRUE(streams_.answer());
  EXPECT_TRUE(is_live());
  EXPECT_EQ(log_end(), format_stream_id({kOld, 3}));
  ASSERT_TRUE(has_position(*reader, {kOld, 3}));
  publish(4);
  EXPECT_THAT(told_to(*reader, 1), ElementsAre(message(kOld, 4)));
  EXPECT_EQ(streams_.asked, 1U);
}

TEST_F(StreamFillerTest, AChannelWithoutAStreamBeginsBeforeItsFirstEntry) {
  auto reader = open_live(0);
  EXPECT_EQ(log_end(), "0-0");
  ASSERT_TRUE(has_position(*reader, kStreamBegin));
  publish(1);
  publish(2);
  EXPECT_FALSE(streams_.answer());
  EXPECT_THAT(told_to(*reader, 2), ElementsAre(message(kOld, 1), message(kOld, 2)));
}

TEST_F(StreamFillerTest, AChannelBeginsBehindEntriesThatWereTrimmed) {
  streams_.ends["news"] = {kOld, 7};
  auto reader = open_live(0);
  ASSERT_TRUE(has_position(*reader, {kOld, 7}));
  publish(8);
  EXPECT_THAT(told_to(*reader, 1), ElementsAre(message(kOld, 8)));
}

TEST_F(StreamFillerTest, WhatIsAnnouncedWhileTheNewestEntryIsReadIsReadToo) {
  start();
  add(1);
  auto reader = open("news");
  listener().on_stream_subscribed("news");
  announce(3);
  ASSERT_TRUE(streams_.answer());  // Read before 2 and 3 came.
  EXPECT_EQ(log_end(), format_stream_id({kOld, 1}));
  EXPECT_FALSE(is_live());
  add(2);
  add(3);
  ASSERT_TRUE(streams_.answer());
  EXPECT_TRUE(is_live());
  EXPECT_EQ(log_end(), format_stream_id({kOld, 3}));
  EXPECT_EQ(forged(), 0);
}

TEST_F(StreamFillerTest, WhoWasLetInBeforeTheLogBeganMayHaveMissedSomething) {
  start();
  // Nothing is acknowledged: they are let in after two seconds.
  auto reader = open("news");
  auto quiet = open("other");
  auto empty = open("third");
  ASSERT_TRUE(has_begun(*reader) && has_begun(*quiet) && has_begun(*empty));
  EXPECT_EQ(reader->last_event_id() + quiet->last_event_id() + empty->last_event_id(), "");
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  streams_.add("news", {{kOld, 3}, static_cast<std::uint64_t>(now.count()), "m3"});
  add(3, kOld, "other");  // Published long before.
  for (const char* channel : {"news", "other", "third"}) listener().on_stream_subscribed(channel);
  streams_.answer_all();
  ASSERT_TRUE(has_position(*quiet, {kOld, 3}));
  ASSERT_TRUE(has_position(*empty, kStreamBegin));
  publish(4, kOld, "news");
  publish(4, kOld, "other");
  publish(1, kOld, "third");
  streams_.answer_all();
  EXPECT_THAT(told_to(*reader, 2), ElementsAre(gap("null", "bus-down", {kOld, 3}), message(kOld, 4)));
  EXPECT_THAT(told_to(*quiet, 1), ElementsAre(message(kOld, 4)));
  EXPECT_THAT(told_to(*empty, 1), ElementsAre(message(kOld, 1)));
}

// --- Announcements

TEST_F(StreamFillerTest, DoubledAndOldAnnouncementsAreNotDelivered) {
  auto reader = open_live(2);
  announce(2);
  publish(3);
  announce(3);
  announce(1);
  publish(4);
  announce(3);
  publish(5);
  EXPECT_THAT(told_to(*reader, 3), ElementsAre(message(kOld, 3), message(kOld, 4), message(kOld, 5)));
  EXPECT_EQ(entries("announced"), 3);
  EXPECT_EQ(entries("repeated"), 4);
  EXPECT_EQ(streams_.asked, 1U) << "none of them is a reason to read";
}

TEST_F(StreamFillerTest, AHoleIsFilledFromTheStreamBeforeWhatFollows) {
  auto reader = open_live(1);
  add(2);
  add(3);
  publish(4);
  EXPECT_EQ(log_end(), format_stream_id({kOld, 1}));
  EXPECT_TRUE(is_live()) << "clients may come meanwhile";
  ASSERT_TRUE(streams_.answer());
  EXPECT_EQ(log_end(), format_stream_id({kOld, 4}));
  publish(5);
  EXPECT_THAT(told_to(*reader, 4),
              ElementsAre(message(kOld, 2), message(kOld, 3), message(kOld, 4), message(kOld, 5)));
  EXPECT_EQ(entries("filled"), 3);
  EXPECT_EQ(entries("announced"), 1);
}

TEST_F(StreamFillerTest, WhatIsAnnouncedWhileTheLastPageIsReadFollowsItWithoutAnotherRead) {
  auto reader = open_live(1);
  add(2);
  publish(3);
  const std::size_t asked = streams_.asked;
  for (std::uint64_t n = 4; n <= 6; ++n) announce(n);
  announce(5);
  ASSERT_TRUE(streams_.answer());  // Read before 4 came.
  EXPECT_EQ(log_end(), format_stream_id({kOld, 6}));
  EXPECT_EQ(streams_.asked, asked);
  EXPECT_EQ(entries("filled"), 2);
  EXPECT_EQ(entries("announced"), 3);
  for (std::uint64_t n = 4; n <= 6; ++n) add(n);
  publish(7);
  std::vector<std::string> expected;
  for (std::uint64_t n = 2; n <= 7; ++n) expected.push_back(message(kOld, n));
  EXPECT_EQ(told_to(*reader, 6), expected);
  EXPECT_EQ(forged(), 0);
}

TEST_F(StreamFillerTest, LargeAnnouncementsAreReadInsteadOfKept) {
  auto reader = open_live(1);
  add(2);
  publish(3);
  const std::string large(1'025, 'x');
  listener().on_announced("news", {{kOld, 4}, 1, large});
  announce(5);
  ASSERT_TRUE(streams_.answer());
  EXPECT_EQ(log_end(), format_stream_id({kOld, 3}));
  streams_.add("news", {{kOld, 4}, 1, large});
  add(5);
  ASSERT_TRUE(streams_.answer());
  EXPECT_EQ(log_end(), format_stream_id({kOld, 5}));
  EXPECT_THAT(told_to(*reader, 4), ElementsAre(message(kOld, 2), message(kOld, 3),
                                               format_stream_id({kOld, 4}) + " " + large, message(kOld, 5)));
}

TEST_F(StreamFillerTest, OfManyAnnouncementsThoseThatWereNotKeptAreRead) {
  auto reader = open_live(1);
  add(2);
  publish(3);
  for (std::uint64_t n = 4; n <= 300; ++n) announce(n);
  ASSERT_TRUE(streams_.answer());
  EXPECT_EQ(entries("announced"), 256);
  EXPECT_EQ(log_end(), format_stream_id({kOld, 3 + 256}));
  for (std::uint64_t n = 4; n <= 300; ++n) add(n);
  ASSERT_TRUE(streams_.answer());
  EXPECT_EQ(log_end(), format_stream_id({kOld, 300}));
  EXPECT_FALSE(streams_.answer());
  std::vector<std::string> expected;
  for (std::uint64_t n = 2; n <= 300; ++n) expected.push_back(message(kOld, n));
  EXPECT_EQ(told_to(*reader, 299), expected);
}

TEST_F(StreamFillerTest, AForgedAnnouncementIsCountedAndNothingElseIsLostByIt) {
  auto reader = open_live(2);
  announce(900);
  announce(3);
  announce(4);
  EXPECT_EQ(log_end(), format_stream_id({kOld, 2}));
  ASSERT_TRUE(streams_.answer());  // Read before 3 came.
  EXPECT_EQ(forged(), 1);
  EXPECT_EQ(log_end(), format_stream_id({kOld, 4}));
  EXPECT_FALSE(streams_.answer()) << "it is not looked for again";
  add(3);
  add(4);
  announce(5, kNew);  // The next number, of a birth that the stream has not.
  publish(5);
  streams_.answer_all();
  EXPECT_EQ(forged(), 2);
  add(6);
  publish(7);
  streams_.answer_all();
  EXPECT_EQ(forged(), 2) << "each is counted once";
  std::vector<std::string> expected;
  for (std::uint64_t n = 3; n <= 7; ++n) expected.push_back(message(kOld, n));
  EXPECT_EQ(told_to(*reader, 5), expected);
  EXPECT_EQ(entries("repeated"), 0);
}

TEST_F(StreamFillerTest, AForgedAnnouncementThatComesDuringAReadIsLookedForInTheNextOne) {
  auto reader = open_live(1);
  add(2);
  publish(3);
  announce(900);
  ASSERT_TRUE(streams_.answer());
  EXPECT_EQ(log_end(), format_stream_id({kOld, 3}));
  EXPECT_EQ(forged(), 0) << "the entry may have come since";
  ASSERT_TRUE(streams_.answer());
  EXPECT_EQ(forged(), 1);
  EXPECT_FALSE(streams_.answer());
  publish(4);
  EXPECT_THAT(told_to(*reader, 3), ElementsAre(message(kOld, 2), message(kOld, 3), message(kOld, 4)));
}

TEST_F(StreamFillerTest, ALostAnnouncementIsFoundByComparison) {
  auto reader = open_live(1);
  add(2);
  hub_->tick(steady_clock::now());
  streams_.answer_all();
  EXPECT_EQ(value_of("weir_history_announcements_lost_total"), 1);
  hub_->tick(steady_clock::now());
  streams_.answer_all();
  EXPECT_EQ(value_of("weir_history_announcements_lost_total"), 1);
  publish(3);
  EXPECT_THAT(told_to(*reader, 2), ElementsAre(message(kOld, 2), message(kOld, 3)));
}

TEST_F(StreamFillerTest, WhatIsAnnouncedDuringAComparisonWasNotLost) {
  auto reader = open_live(1);
  hub_->tick(steady_clock::now());
  publish(2);
  add(3);
  const std::size_t asked = streams_.asked;
  streams_.answer_all();  // The newest is 3, whose announcement is on its way.
  EXPECT_EQ(value_of("weir_history_announcements_lost_total"), 0);
  EXPECT_EQ(streams_.asked, asked);
  announce(3);
  EXPECT_THAT(told_to(*reader, 2), ElementsAre(message(kOld, 2), message(kOld, 3)));
}

// --- Losses

TEST_F(StreamFillerTest, ALostConnectionIsFilledUpWithoutAGap) {
  auto reader = open_live(2);
  listener().on_stream_lost("news");
  EXPECT_FALSE(is_live());
  publish(3);  // It can't be heard any more. If it is, it is too early.
  EXPECT_EQ(log_end(), format_stream_id({kOld, 2}));
  add(4);
  EXPECT_THAT(streams_.reads, IsEmpty());
  listener().on_stream_subscribed("news");
  EXPECT_FALSE(is_live());
  publish(5);
  EXPECT_FALSE(is_live());
  EXPECT_EQ(log_end(), format_stream_id({kOld, 2}));
  ASSERT_TRUE(streams_.answer());
  EXPECT_TRUE(is_live());
  publish(6);
  EXPECT_THAT(told_to(*reader, 4),
              ElementsAre(message(kOld, 3), message(kOld, 4), message(kOld, 5), message(kOld, 6)));
  EXPECT_THAT(streams_.reads, IsEmpty());
}

TEST_F(StreamFillerTest, ALostConnectionIsFilledUpPageByPage) {
  auto reader = open_live(0);
  listener().on_stream_lost("news");
  for (std::uint64_t n = 1; n <= 10; ++n) add(n);
  listener().on_stream_subscribed("news");
  ASSERT_TRUE(streams_.answer());
  EXPECT_EQ(log_end(), format_stream_id({kOld, kPageMessagesUnseen}));
  EXPECT_FALSE(is_live());
  EXPECT_EQ(told_to(*reader, kPageMessagesUnseen).size(), kPageMessagesUnseen) << "clients need not wait";
  announce(11);
  ASSERT_TRUE(streams_.answer());  // Read before 11 came.
  EXPECT_EQ(log_end(), format_stream_id({kOld, 11}));
  EXPECT_TRUE(is_live());
  EXPECT_FALSE(streams_.answer());
  std::vector<std::string> expected;
  for (std::uint64_t n = 1; n <= 11; ++n) expected.push_back(message(kOld, n));
  EXPECT_EQ(told_to(*reader, 11), expected);
  EXPECT_EQ(forged(), 0);
}

TEST_F(StreamFillerTest, WhereNothingCameMeanwhileItIsLiveAfterOneRead) {
  auto reader = open_live(2);
  const std::size_t asked = streams_.asked;
  listener().on_stream_lost("news");
  listener().on_stream_subscribed("news");
  streams_.answer_all();
  EXPECT_EQ(streams_.asked, asked + 1);
  EXPECT_TRUE(is_live());
  publish(3);
  EXPECT_THAT(told_to(*reader, 1), ElementsAre(message(kOld, 3)));
}

TEST_F(StreamFillerTest, TheAnswerToAReadOfBeforeALossComesTooLate) {
  auto reader = open_live(2);
  listener().on_stream_lost("news");
  listener().on_stream_subscribed("news");
  add(3);
  announce(900);
  listener().on_stream_lost("news");
  ASSERT_TRUE(streams_.answer());
  EXPECT_FALSE(is_live());
  EXPECT_EQ(log_end(), format_stream_id({kOld, 2}));
  listener().on_stream_subscribed("news");
  ASSERT_TRUE(streams_.answer());
  EXPECT_TRUE(is_live());
  EXPECT_EQ(forged(), 0) << "what was announced may be lost with the connection";
  publish(4);
  EXPECT_THAT(told_to(*reader, 2), ElementsAre(message(kOld, 3), message(kOld, 4)));
}

TEST_F(StreamFillerTest, TheNewestEntryOfBeforeALossIsNotWhereTheLogBegins) {
  start();
  auto reader = open("news");
  add(1);
  listener().on_stream_subscribed("news");
  listener().on_stream_lost("news");
  ASSERT_TRUE(streams_.answer());
  EXPECT_EQ(log_end(), "");
  add(2);
  listener().on_stream_subscribed("news");
  streams_.answer_all();
  EXPECT_EQ(log_end(), format_stream_id({kOld, 2}));
  EXPECT_TRUE(is_live());
}

TEST_F(StreamFillerTest, AReadThatRedisCouldNotAnswerIsRepeated) {
  auto reader = open_live(1);
  listener().on_stream_lost("news");
  listener().on_stream_subscribed("news");
  listener().on_readable(false);
  ASSERT_TRUE(streams_.answer(Outcome::kAway));
  EXPECT_THAT(streams_.reads, IsEmpty());
  add(2);
  listener().on_readable(true);
  EXPECT_FALSE(is_live());
  ASSERT_TRUE(streams_.answer());
  EXPECT_TRUE(is_live());
  EXPECT_THAT(told_to(*reader, 1), ElementsAre(message(kOld, 2)));
}

TEST_F(StreamFillerTest, WhatWasTrimmedWhileAwayIsAGapWithItsNumber) {
  auto reader = open_live(2);
  listener().on_stream_lost("news");
  for (std::uint64_t n = 3; n <= 10; ++n) add(n);
  streams_.trim("news", 3);
  listener().on_stream_subscribed("news");
  streams_.answer_all();
  EXPECT_TRUE(is_live());
  publish(11);
  EXPECT_THAT(told_to(*reader, 5), ElementsAre(gap("5", "history", {kOld, 7}), message(kOld, 8),
                                               message(kOld, 9), message(kOld, 10), message(kOld, 11)));
}

TEST_F(StreamFillerTest, WhereEverythingWasTrimmedTheEndTellsTheNumber) {
  auto reader = open_live(2);
  listener().on_stream_lost("news");
  for (std::uint64_t n = 3; n <= 10; ++n) add(n);
  streams_.trim("news", 0);
  listener().on_stream_subscribed("news");
  streams_.answer_all();
  EXPECT_TRUE(is_live());
  publish(11);
  EXPECT_THAT(told_to(*reader, 2), ElementsAre(gap("8", "history", {kOld, 10}), message(kOld, 11)));
}

TEST_F(StreamFillerTest, ARestartOfRedisIsNoGap) {
  auto reader = open_live(2);
  listener().on_stream_lost("news");
  add(3);
  add(4, kNew);
  listener().on_stream_subscribed("news");
  streams_.answer_all();
  publish(5, kNew);
  EXPECT_THAT(told_to(*reader, 3), ElementsAre(message(kOld, 3), message(kNew, 4), message(kNew, 5)));
}

// --- Streams that are made anew

TEST_F(StreamFillerTest, AStreamThatIsMadeAnewWhileAllIsHeardIsNoGap) {
  auto reader = open_live(3);
  streams_.remove("news");
  publish(1, kNew);
  announce(2, kNew);
  streams_.answer_all();
  add(2, kNew);
  publish(3, kNew);
  EXPECT_THAT(told_to(*reader, 3), ElementsAre(message(kNew, 1), message(kNew, 2), message(kNew, 3)));
}

TEST_F(StreamFillerTest, AStreamThatIsMadeAnewDuringAFillIsAReset) {
  auto reader = open_live(2);
  add(3);
  publish(4);  // Neither is read in time.
  streams_.remove("news");
  publish(1, kNew);
  publish(2, kNew);
  streams_.answer_all();
  EXPECT_TRUE(is_live());
  EXPECT_EQ(log_end(), format_stream_id({kNew, 2}));
  EXPECT_THAT(told_to(*reader, 3),
              ElementsAre(gap("null", "reset", {kNew, 0}), message(kNew, 1), message(kNew, 2)));
}

TEST_F(StreamFillerTest, AStreamThatIsMadeAnewTwiceBeforeItIsReadIsAReset) {
  constexpr std::uint64_t kNewer = kNew + 1'000'000;
  auto reader = open_live(2);
  streams_.remove("news");
  publish(1, kNew);
  streams_.remove("news");
  publish(1, kNewer);
  streams_.answer_all();
  EXPECT_THAT(told_to(*reader, 2), ElementsAre(gap("null", "reset", {kNewer, 0}), message(kNewer, 1)));
}

TEST_F(StreamFillerTest, AForgedFirstEntryOfALaterBirthDoesNotSilenceTheChannel) {
  auto reader = open_live(2);
  announce(1, kNew);
  streams_.answer_all();
  EXPECT_EQ(forged(), 1);
  publish(3);
  EXPECT_THAT(told_to(*reader, 1), ElementsAre(message(kOld, 3)));
}

TEST_F(StreamFillerTest, AStreamThatIsMadeAnewWhileAwayIsAReset) {
  auto reader = open_live(3);
  listener().on_stream_lost("news");
  streams_.remove("news");
  add(1, kNew);
  listener().on_stream_subscribed("news");
  streams_.answer_all();
  EXPECT_TRUE(is_live());
  publish(2, kNew);
  EXPECT_THAT(told_to(*reader, 3),
              ElementsAre(gap("null", "reset", {kNew, 0}), message(kNew, 1), message(kNew, 2)));
}

TEST_F(StreamFillerTest, AStreamThatWasDeletedWhileAwayIsAReset) {
  auto reader = open_live(3);
  listener().on_stream_lost("news");
  streams_.remove("news");
  listener().on_stream_subscribed("news");
  streams_.answer_all();
  EXPECT_TRUE(is_live());
  EXPECT_EQ(log_end(), "0-0");
  publish(1, kNew);
  streams_.answer_all();
  EXPECT_THAT(told_to(*reader, 2), ElementsAre(gap("null", "reset", kStreamBegin), message(kNew, 1)));
}

TEST_F(StreamFillerTest, PagesOfAStreamThatIsGoneAreDroppedAndNoOthers) {
  auto reader = open_live(1);
  auto other = open_live(1, "other");
  const auto fill_hole = [this](const std::string& channel, std::uint64_t birth, std::uint64_t end) {
    add(end + 1, birth, channel);
    publish(end + 2, birth, channel);
    streams_.answer_all();
  };
  fill_hole("news", kOld, 1);
  fill_hole("other", kOld, 1);
  EXPECT_EQ(value_of("weir_history_pages"), 2);
  streams_.remove("news");
  publish(1, kNew);
  streams_.answer_all();
  EXPECT_EQ(value_of("weir_history_pages"), 1) << "made anew while all was heard";
  fill_hole("news", kNew, 1);
  EXPECT_EQ(value_of("weir_history_pages"), 2);

  listener().on_stream_lost("other");
  streams_.remove("other");
  add(1, kNew, "other");
  listener().on_stream_subscribed("other");
  streams_.answer_all();
  EXPECT_EQ(value_of("weir_history_pages"), 1) << "made anew while away";
  EXPECT_THAT(told_to(*other, 4), ElementsAre(message(kOld, 2), message(kOld, 3),
                                              gap("null", "reset", {kNew, 0}, "other"), message(kNew, 1)));
  EXPECT_THAT(told_to(*reader, 5), ElementsAre(message(kOld, 2), message(kOld, 3), message(kNew, 1),
                                               message(kNew, 2), message(kNew, 3)));
}

// --- Refusals, and channels that close

TEST_F(StreamFillerTest, ARefusedChannelEndsItsStreams) {
  auto reader = open_live(1);
  listener().on_stream_refused("news", "NOPERM");
  ASSERT_TRUE(is_ended(*reader));
  announce(2);
  EXPECT_EQ(log_end(), format_stream_id({kOld, 1}));
  auto waiting = open("other");
  listener().on_stream_refused("other", "NOPERM");
  ASSERT_TRUE(is_ended(*waiting));
  EXPECT_THAT(waiting->head(), HasSubstr("403"));
}

TEST_F(StreamFillerTest, ARefusedReadEndsTheStreams) {
  auto reader = open_live(1);
  listener().on_stream_lost("news");
  listener().on_stream_subscribed("news");
  ASSERT_TRUE(streams_.answer(Outcome::kRefused));
  ASSERT_TRUE(is_ended(*reader));
  EXPECT_FALSE(is_live());
  EXPECT_FALSE(streams_.answer());
  auto waiting = open("other");
  listener().on_stream_subscribed("other");
  ASSERT_TRUE(streams_.answer(Outcome::kRefused));
  ASSERT_TRUE(is_ended(*waiting));
  EXPECT_THAT(waiting->head(), HasSubstr("403"));
  EXPECT_EQ(log_end("other"), "");
}

TEST_F(StreamFillerTest, AReadUnderWayOfAChannelThatWasClosedIsNotForItsSuccessor) {
  config_.linger = std::chrono::seconds(0);
  {
    auto reader = open_live(1);
    add(2);
    publish(3);  // A read is under way.
  }
  const auto close_all = [this] {
    ASSERT_TRUE(eventually([&] { return hub_->clients() == 0; }));
    hub_->tick(steady_clock::now());
    ASSERT_THAT(streams_.wanted, IsEmpty());
  };
  close_all();
  {
    auto reader = open("news");
    listener().on_stream_subscribed("news");
    ASSERT_EQ(streams_.reads.size(), 2U);
    ASSERT_TRUE(streams_.answer());
    EXPECT_EQ(entries("filled"), 0);
    EXPECT_EQ(log_end(), "");
    EXPECT_FALSE(is_live());
    // Nor is the read of where the log begins.
  }
  close_all();
  auto reader = open("news");
  ASSERT_TRUE(streams_.answer());
  EXPECT_EQ(log_end(), "");
  EXPECT_FALSE(is_live());
  listener().on_stream_subscribed("news");
  streams_.answer_all();
  EXPECT_TRUE(is_live());
  ASSERT_TRUE(has_begun(*reader));
  publish(4);
  EXPECT_THAT(told_to(*reader, 1), ElementsAre(message(kOld, 4)));
}

TEST_F(StreamFillerTest, AnnouncementsOfAChannelThatIsNotOpenAreNobodys) {
  start();
  publish(1);
  listener().on_stream_subscribed("news");
  listener().on_stream_made_anew("other");
  listener().on_stream_lost("news");
  listener().on_stream_refused("news", "NOPERM");
  listener().on_followed("followed", {entry(1, kOld)});
  EXPECT_EQ(streams_.asked, 0U);
  EXPECT_EQ(hub_->open_channels(), 0U);
}

// --- Plain messages

TEST_F(StreamFillerTest, APlainMessageReachesWhoIsThereWithoutAnIdAndIsNotReplayed) {
  auto reader = open_live(0);
  publish(1);
  streams_.answer_all();
  publish_plain(R"({"id":"mine","data":"plain"})");
  ASSERT_THAT(told_to(*reader, 2), ElementsAre(message(kOld, 1), " plain"));
  EXPECT_EQ(reader->last_event_id(), format_stream_id({kOld, 1}));
  publish(2);
  EXPECT_THAT(told_to(*reader, 3), ElementsAre(message(kOld, 1), " plain", message(kOld, 2)));
  EXPECT_EQ(value_of("weir_history_plain_messages_total"), 1);

  for (const std::uint64_t seen : {0, 1}) {
    auto again = open("news", format_stream_id(seen == 0 ? kStreamBegin : StreamId{kOld, seen}));
    const std::size_t missed = 2 - seen;
    const auto told = told_to(*again, missed + 1);
    ASSERT_EQ(told.size(), missed + 1);
    EXPECT_EQ(told[missed - 1], message(kOld, 2));
    EXPECT_THAT(told[missed], HasSubstr(R"("replayed":)" + std::to_string(missed)));
  }
  publish_plain("for all");
  EXPECT_THAT(told_to(*reader, 4), ElementsAre(message(kOld, 1), " plain", message(kOld, 2), " for all"));
}

// --- Followed streams

TEST_F(StreamFillerTest, AFollowedStreamIsFollowedFromWhereTheLogEnds) {
  start();
  streams_.add("followed", {{100, 0}, 100, "a"});
  auto reader = open("followed");
  listener().on_stream_subscribed("followed");
  EXPECT_THAT(streams_.followed, IsEmpty());
  listener().on_followed("followed", {{{101, 0}, 101, "early"}});
  EXPECT_EQ(log_end("followed"), "");
  streams_.answer_all();
  EXPECT_THAT(streams_.followed, ElementsAre(Pair("followed", StreamId{100, 0})));
  ASSERT_TRUE(has_position(*reader, {100, 0}));
  listener().on_followed("followed", {{{100, 0}, 100, "a"}, {{200, 0}, 200, "b"}, {{200, 5}, 200, "c"}});
  EXPECT_THAT(told_to(*reader, 2), ElementsAre("200-0 b", "200-5 c"));
  EXPECT_EQ(entries("followed"), 2);

  streams_.add("followed", {{200, 0}, 200, "b"});
  streams_.add("followed", {{200, 5}, 200, "c"});
  listener().on_stream_lost("followed");
  streams_.add("followed", {{300, 0}, 300, "d"});
  listener().on_stream_subscribed("followed");
  EXPECT_FALSE(is_live("followed"));
  streams_.answer_all();
  EXPECT_TRUE(is_live("followed"));
  EXPECT_THAT(streams_.followed.back(), Pair("followed", StreamId{300, 0}));
  EXPECT_THAT(told_to(*reader, 3), ElementsAre("200-0 b", "200-5 c", "300-0 d"));
}

TEST_F(StreamFillerTest, AFollowedStreamThatWasMadeAnewIsFollowedFromItsBeginning) {
  start();
  streams_.add("followed", {{100, 0}, 100, "a"});
  auto reader = open("followed");
  listener().on_stream_subscribed("followed");
  streams_.answer_all();
  ASSERT_TRUE(has_begun(*reader));
  listener().on_stream_made_anew("followed");
  EXPECT_FALSE(is_live("followed"));
  streams_.remove("followed");
  streams_.add("followed", {{1, 1}, 1, "one"});
  listener().on_stream_subscribed("followed");
  streams_.answer_all();
  EXPECT_THAT(streams_.followed.back(), Pair("followed", kStreamAnew));
  listener().on_followed("followed", {{{1, 1}, 1, "one"}, {{2, 1}, 2, "two"}});
  EXPECT_THAT(told_to(*reader, 3),
              ElementsAre(gap("null", "reset", kStreamAnew, "followed"), "1-1 one", "2-1 two"));
  auto again = open("followed", "1-1");
  EXPECT_THAT(told_to(*again, 2), ElementsAre("2-1 two", HasSubstr(R"("replayed":1)")))
      << "the log knows the ids of the new stream";
  EXPECT_THAT(streams_.reads, IsEmpty());
}

TEST_F(StreamFillerTest, AFollowedStreamWasMadeAnewOnlyIfTheBusSaysSo) {
  start();
  streams_.add("followed", {{100, 0}, 100, "a"});
  streams_.trimmed.insert("followed");
  auto reader = open("followed");
  listener().on_stream_subscribed("followed");
  streams_.answer_all();
  ASSERT_TRUE(has_begun(*reader));
  const auto lose_all_but = [this](std::uint64_t time) {
    streams_.add("followed", {{time, 0}, time, std::to_string(time)});
    streams_.trim("followed", 1);
    listener().on_stream_subscribed("followed");
    streams_.answer_all();
  };
  listener().on_stream_made_anew("followed");
  lose_all_but(200);
  listener().on_stream_lost("followed");
  lose_all_but(300);
  const StreamId before_200{199, ~std::uint64_t{0}};
  const StreamId before_300{299, ~std::uint64_t{0}};
  EXPECT_THAT(told_to(*reader, 4), ElementsAre(gap("null", "reset", before_200, "followed"), "200-0 200",
                                               gap("null", "history", before_300, "followed"), "300-0 300"));
}

TEST_F(StreamFillerTest, AReadUnderWayOfAFollowedChannelThatWasClosedDoesNotFollow) {
  config_.linger = std::chrono::seconds(0);
  start();
  streams_.add("followed", {{100, 0}, 100, "a"});
  {
    auto reader = open("followed");
    listener().on_stream_subscribed("followed");
    streams_.answer_all();
    ASSERT_TRUE(has_begun(*reader));
    listener().on_stream_lost("followed");
    listener().on_stream_subscribed("followed");
  }
  ASSERT_TRUE(eventually([&] { return hub_->clients() == 0; }));
  hub_->tick(steady_clock::now());
  auto reader = open("followed");
  streams_.followed.clear();
  streams_.answer_all();
  EXPECT_THAT(streams_.followed, IsEmpty());
}

}  // namespace
}  // namespace weir
