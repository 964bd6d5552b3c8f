#include "broker/hub/hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <future>
#include <thread>
#include <vector>

#include "broker/base/metrics.h"
#include "broker/config.h"
#include "broker/fanout/stats.h"
#include "tests/unit/fanout/stream_reader.h"

namespace weir {
namespace {

using std::chrono::steady_clock;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::chrono::seconds kDeadline{20};  // Reached by failing tests alone.

// Notes what is asked of it; a test says what it answers.
class FakeBus : public Bus {
 public:
  void start() override {}
  void stop() override {}
  void subscribe(std::string channel) override { wanted.push_back(std::move(channel)); }
  void unsubscribe(std::string channel) override { std::erase(wanted, channel); }
  void record(std::string pattern) override { recorded.push_back(std::move(pattern)); }
  void publish(std::string, std::string, PublishDone done) override {
    done({PublishOutcome::kDelivered, 1, {}});
  }
  BusState state() const override {
    BusState state;
    state.subscriptions_held = held;
    state.is_receiving = is_receiving;
    return state;
  }

  std::uint64_t held = 0;
  std::vector<std::string> wanted;
  std::vector<std::string> recorded;
  bool is_receiving = true;
};

class HubTest : public ::testing::Test {
 protected:
  ~HubTest() override {
    if (hub_) hub_->stop();
  }

  Hub& start() {
    config_.shards = 2;
    hub_ = std::make_unique<Hub>(config_, 42);
    hub_->set_bus(bus_);
    hub_->start();
    return *hub_;
  }
  // A stream of `channels`; nullopt if the hub refuses it.
  std::optional<StreamReader> open(std::vector<std::string> channels,
                                   std::optional<std::string> last_event_id = {}, std::size_t replay = 0) {
    auto admission = hub_->admit(address_);
    if (!admission.place) return std::nullopt;
    StreamReader reader;
    StreamRequest request;
    request.channels = std::move(channels);
    request.encoding.form = request.channels.size() > 1 ? Form::kEvents : Form::kChannel;
    request.last_event_id = std::move(last_event_id);
    if (replay > 0) request.beginnings.assign(request.channels.size(), {.replay = replay});
    request.head = "HTTP/1.1 200 OK\r\n\r\n";
    request.forbidden = [](std::string_view) { return "HTTP/1.1 403 Forbidden\r\n\r\n"; };
    const int socket = reader.take_socket();
    if (!hub_->open_stream(std::move(request), std::move(*admission.place), socket)) {
      ::close(socket);
      return std::nullopt;
    }
    return reader;
  }
  void publish(const std::string& channel, const std::string& payload) {
    hub_->listener().on_message(channel, payload);
    hub_->listener().on_idle();
  }
  // Of a metric without a label.
  double value_of(const std::string& metric) const {
    Metrics metrics;
    metrics.add_source([this](MetricsPage& page) { hub_->collect(page); });
    const std::string text = metrics.render();
    return std::stod(text.substr(text.find("\n" + metric + " ") + metric.size() + 2));
  }
  static bool eventually(const std::function<bool()>& is_true) {
    const auto deadline = steady_clock::now() + kDeadline;
    while (!is_true()) {
      if (steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }
  static bool read_data(StreamReader& reader, std::size_t count) {
    return eventually([&] {
      reader.read(1 << 20);
      return data_of(reader).size() >= count;
    });
  }
  static bool has_begun(StreamReader& reader) {
    return eventually([&] {
      reader.read(1 << 20);
      return !reader.events().empty();
    });
  }
  static std::vector<std::string> data_of(const StreamReader& reader) {
    std::vector<std::string> data;
    for (const ReceivedEvent& event : reader.events()) {
      if (event.has_data) data.push_back(event.data);
    }
    return data;
  }

  Config config_;
  IpAddress address_;  // Of the client that opens a stream.
  FakeBus bus_;
  std::unique_ptr<Hub> hub_;
};

TEST_F(HubTest, ShowsWhatHoldsMemoryWithoutOverlaps) {
  start();
  auto reader = open({"news"});
  ASSERT_TRUE(reader);
  hub_->listener().on_subscribed("news");
  ASSERT_TRUE(has_begun(*reader));
  const auto held = [this](const std::string& holder) {
    return value_of("weir_memory_bytes{holder=\"" + holder + "\"}");
  };
  EXPECT_EQ(held("history"), 0);
  const double channels = held("channels");
  const double streams = held("streams");
  EXPECT_GT(channels, 500);
  EXPECT_GT(streams, 500);
  publish("news", std::string(10'000, 'x'));
  ASSERT_TRUE(read_data(*reader, 1));
  EXPECT_GT(held("history"), 10'000);
  EXPECT_LE(held("history"), value_of("weir_frame_bytes"));
  EXPECT_EQ(held("sending"), value_of("weir_held_bytes"));
  auto other = open({"other"});
  ASSERT_TRUE(other);
  ASSERT_TRUE(eventually([&] { return value_of("weir_clients") == 2; }));
  EXPECT_EQ(held("channels"), 2 * channels);
  EXPECT_EQ(held("streams"), 2 * streams);
}

TEST_F(HubTest, TheMetricsShowEachReasonOfACloseFromTheStart) {
  const std::vector<std::string> names(kCloseReasonNames.begin(), kCloseReasonNames.end());
  EXPECT_EQ(label_values_of(kMetrics[static_cast<std::size_t>(Metric::kStreamsClosed)]), names);
}

TEST_F(HubTest, SubscribesOnceHoweverManyClients) {
  start();
  auto a = open({"news"});
  auto b = open({"news"});
  auto c = open({"other", "news"});
  EXPECT_THAT(bus_.wanted, ElementsAre("news", "other"));
  EXPECT_EQ(hub_->info("news").subscribers, 3U);
  EXPECT_EQ(hub_->clients(), 3U);
}

TEST_F(HubTest, DeliversToEveryStreamOfTheChannel) {
  start();
  auto a = open({"news"});
  auto b = open({"news", "other"});
  hub_->listener().on_subscribed("news");
  hub_->listener().on_subscribed("other");
  ASSERT_TRUE(has_begun(*a) && has_begun(*b));
  publish("news", R"({"msg":"aaa"})");
  ASSERT_TRUE(read_data(*a, 1) && read_data(*b, 1));
  EXPECT_THAT(data_of(*a), ElementsAre(R"({"msg":"aaa"})"));
  EXPECT_EQ(b->events().back().type, "news");
}

TEST_F(HubTest, NewRulesAreForChannelsThatAreOpenedLater) {
  config_.channel_rules = {{"*.a", {.history_messages = 1}}};
  start();
  const auto replayed_of = [&](const std::string& channel) {
    for (const char* payload : {"1", "2", "3"}) publish(channel, payload);
    auto again = open({channel}, {}, 10);
    EXPECT_TRUE(eventually([&] {
      again->read(1 << 20);
      return std::any_of(again->events().begin(), again->events().end(),
                         [](const ReceivedEvent& event) { return event.type == "weir:live"; });
    }));
    const auto data = data_of(*again);
    return data.empty() ? "" : data.back();
  };
  auto before = open({"before.a"});
  hub_->listener().on_subscribed("before.a");
  ASSERT_TRUE(has_begun(*before));
  hub_->set_channel_rules({{"*.a", {.history_messages = 2, .envelope = EnvelopeMode::kNever}}});
  auto after = open({"after.a"});
  hub_->listener().on_subscribed("after.a");
  ASSERT_TRUE(has_begun(*after));
  EXPECT_EQ(replayed_of("before.a"), R"({"replayed":1})");
  EXPECT_EQ(replayed_of("after.a"), R"({"replayed":2})");
  publish("before.a", R"({"data":"x"})");
  publish("after.a", R"({"data":"x"})");
  ASSERT_TRUE(read_data(*before, 4) && read_data(*after, 4));
  EXPECT_EQ(data_of(*before).back(), "x");
  EXPECT_EQ(data_of(*after).back(), R"({"data":"x"})");
}

TEST_F(HubTest, WhatFitsIsAskedOfTheRuleThatTheChannelWasOpenedWith) {
  config_.max_message_bytes = 100;
  config_.channel_rules = {{"*", {.envelope = EnvelopeMode::kNever}}};
  start();
  // As text each of its lines gets a "data:"; as an envelope it is one line.
  std::string payload = "{";
  for (int i = 0; i < 40; ++i) payload += '\n';
  payload += R"("data":1})";
  auto before = open({"before"});
  EXPECT_FALSE(hub_->fits("before", payload));
  hub_->set_channel_rules({});
  EXPECT_FALSE(hub_->fits("before", payload));
  EXPECT_TRUE(hub_->fits("after", payload));
}

TEST_F(HubTest, UnsubscribesALingerAfterTheLastClient) {
  config_.linger = std::chrono::seconds(60);
  start();
  const auto now = steady_clock::now();
  {
    auto reader = open({"news"});
    hub_->listener().on_subscribed("news");
    ASSERT_TRUE(has_begun(*reader));
  }
  ASSERT_TRUE(eventually([&] { return hub_->clients() == 0; }));
  hub_->tick(now + std::chrono::seconds(30));
  EXPECT_THAT(bus_.wanted, ElementsAre("news"));
  hub_->tick(steady_clock::now() + std::chrono::seconds(61));
  EXPECT_THAT(bus_.wanted, IsEmpty());
  EXPECT_THAT(hub_->channels(10), IsEmpty());
}

TEST_F(HubTest, AChannelLingersOnceHoweverManyStreamsCameAndWent) {
  config_.linger = std::chrono::hours(1);
  start();
  std::vector<std::string> names;
  for (int i = 0; i < 100; ++i) names.push_back("c" + std::to_string(i));
  for (int round = 0; round < 20; ++round) {
    {
      const auto reader = open(names);
      ASSERT_TRUE(reader);
      EXPECT_EQ(value_of("weir_channels_lingering"), 0) << "Those that are followed don't.";
    }
    ASSERT_TRUE(eventually([&] { return hub_->clients() == 0; }));
    EXPECT_EQ(value_of("weir_channels_lingering"), 100);
  }
  const auto reader = open({"c7"});
  hub_->tick(steady_clock::now() + std::chrono::hours(2));
  EXPECT_EQ(value_of("weir_channels_lingering"), 0);
  EXPECT_EQ(value_of("weir_channels"), 1);
  EXPECT_THAT(bus_.wanted, ElementsAre("c7"));
}

TEST_F(HubTest, ARefusedChannelThatIsAskedForAgainLingersOnce) {
  config_.linger = std::chrono::hours(1);
  start();
  for (int round = 0; round < 20; ++round) {
    {
      auto refused = open({"secret"});
      hub_->listener().on_refused("secret", "NOPERM");
      ASSERT_TRUE(eventually([&] {
        refused->read(1 << 20);
        return refused->is_closed();
      }));
    }
    ASSERT_TRUE(eventually([&] { return hub_->clients() == 0; }));
    EXPECT_EQ(value_of("weir_channels_lingering"), 1);
  }
  hub_->tick(steady_clock::now() + std::chrono::hours(2));
  EXPECT_EQ(value_of("weir_channels_lingering"), 0);
  EXPECT_EQ(value_of("weir_channels"), 0);
}

TEST_F(HubTest, WhileTheBusCanNotFollowNoChannelIsOpened) {
  config_.max_channels = 10;
  start();
  auto reader = open({"news"});
  ASSERT_TRUE(reader);
  bus_.held = 2 * 10 + 1'024;
  EXPECT_FALSE(open({"other"}));
  EXPECT_TRUE(open({"news"})) << "One that is open is not concerned.";
  bus_.held -= 1;
  EXPECT_TRUE(open({"other"}));
}

TEST_F(HubTest, AClientThatComesWithinTheLingerKeepsTheChannelAndItsHistory) {
  config_.linger = std::chrono::seconds(60);
  start();
  std::string id;
  {
    auto reader = open({"news"});
    hub_->listener().on_subscribed("news");
    ASSERT_TRUE(has_begun(*reader));
    id = reader->last_event_id();
  }
  ASSERT_TRUE(eventually([&] { return hub_->clients() == 0; }));
  publish("news", "meanwhile");
  auto again = open({"news"}, id);
  hub_->tick(steady_clock::now() + std::chrono::seconds(61));
  EXPECT_THAT(bus_.wanted, ElementsAre("news"));
  ASSERT_TRUE(read_data(*again, 2));
  EXPECT_THAT(data_of(*again), ElementsAre("meanwhile", R"({"replayed":1})"));
}

TEST_F(HubTest, AnIdFromBeforeTheChannelWasSubscribedIsAGap) {
  config_.linger = std::chrono::seconds(0);
  start();
  std::string id;
  {
    auto reader = open({"news"});
    hub_->listener().on_subscribed("news");
    ASSERT_TRUE(has_begun(*reader));
    id = reader->last_event_id();
  }
  ASSERT_TRUE(eventually([&] { return hub_->clients() == 0; }));
  hub_->tick(steady_clock::now());
  ASSERT_THAT(bus_.wanted, IsEmpty());
  auto again = open({"news"}, id);
  hub_->listener().on_subscribed("news");
  ASSERT_TRUE(read_data(*again, 2));
  EXPECT_THAT(data_of(*again)[0], HasSubstr(R"("missed":null,"reason":"history")"));
}

TEST_F(HubTest, EachLossOfTheBusIsOneGapOfEachChannel) {
  start();
  auto reader = open({"news"});
  hub_->listener().on_subscribed("news");
  ASSERT_TRUE(has_begun(*reader));
  hub_->listener().on_lost();
  hub_->listener().on_lost();  // Again, before it was back.
  hub_->listener().on_subscribed("news");
  publish("news", "after");
  ASSERT_TRUE(read_data(*reader, 2));
  EXPECT_THAT(data_of(*reader),
              ElementsAre(R"({"channel":"news","missed":null,"reason":"bus-down"})", "after"));
}

TEST_F(HubTest, ALossOfTheBusIsToldEachStreamOnceAndItsEndBeforeTheGaps) {
  start();
  auto reader = open({"a", "b"});
  hub_->listener().on_subscribed("a");
  hub_->listener().on_subscribed("b");
  ASSERT_TRUE(has_begun(*reader));
  hub_->listener().on_state(false);
  hub_->listener().on_lost();
  ASSERT_TRUE(read_data(*reader, 1));
  hub_->listener().on_state(true);
  hub_->listener().on_subscribed("a");
  hub_->listener().on_subscribed("b");
  ASSERT_TRUE(read_data(*reader, 4));
  EXPECT_THAT(data_of(*reader), ElementsAre(R"({"state":"down"})", R"({"state":"up"})",
                                            R"({"channel":"a","missed":null,"reason":"bus-down"})",
                                            R"({"channel":"b","missed":null,"reason":"bus-down"})"));
}

TEST_F(HubTest, WhoComesBeforeTheBusWasEverThereIsToldThatItIsAway) {
  bus_.is_receiving = false;
  start();
  auto reader = open({"news"});
  ASSERT_TRUE(read_data(*reader, 1));  // After two seconds, without an acknowledgement.
  hub_->listener().on_state(true);
  hub_->listener().on_subscribed("news");
  ASSERT_TRUE(read_data(*reader, 3));
  EXPECT_THAT(data_of(*reader), ElementsAre(R"({"state":"down"})", R"({"state":"up"})",
                                            R"({"channel":"news","missed":null,"reason":"bus-down"})"));
}

TEST_F(HubTest, AMessageThatWasTooLargeIsAGapOfOne) {
  start();
  auto reader = open({"news"});
  hub_->listener().on_subscribed("news");
  ASSERT_TRUE(has_begun(*reader));
  hub_->listener().on_too_large("news");
  hub_->listener().on_idle();
  ASSERT_TRUE(read_data(*reader, 1));
  EXPECT_THAT(data_of(*reader), ElementsAre(R"({"channel":"news","missed":1,"reason":"too-large"})"));
}

TEST_F(HubTest, ARecordedChannelHasItsHistoryWithNoClient) {
  config_.record = {"log.*", "named"};
  start();
  EXPECT_THAT(bus_.recorded, ElementsAre("log.*", "named"));
  hub_->listener().on_recording("log.*");
  hub_->listener().on_recording("named");
  publish("log.1", "line 1");
  publish("log.1", "line 2");
  publish("unasked", "x");
  EXPECT_EQ(hub_->info("log.1").log_messages, 2U);
  EXPECT_TRUE(hub_->info("named").is_live);
  EXPECT_EQ(hub_->info("unasked").last_id, "");
  hub_->tick(steady_clock::now() + std::chrono::hours(1));
  EXPECT_EQ(hub_->channels(10).size(), 2U);
}

TEST_F(HubTest, PastTheNumberOfChannelsNewOnesAreRefusedAndNothingIsHalfDone) {
  config_.max_channels = 2;
  start();
  auto a = open({"a"});
  EXPECT_FALSE(open({"b", "c"}).has_value());
  EXPECT_EQ(hub_->info("b").subscribers, 0U);
  EXPECT_EQ(hub_->clients(), 1U);
  EXPECT_TRUE(open({"b"}).has_value());
}

TEST_F(HubTest, RecordedChannelsThatNobodyWatchesMakeRoom) {
  config_.max_channels = 32;
  config_.record = {"log.*"};
  start();
  hub_->listener().on_recording("log.*");
  for (int i = 0; i < 100; ++i) publish("log." + std::to_string(i), "x");
  EXPECT_LE(hub_->channels(1'000).size(), 32U);
  EXPECT_EQ(hub_->info("log.99").log_messages, 1U);
  EXPECT_TRUE(open({"watched"}).has_value());
}

TEST_F(HubTest, PastTheNumberOfClientsNewcomersAreRefusedAndAPlaceComesBack) {
  config_.max_clients = 1;
  start();
  {
    auto reader = open({"news"});
    ASSERT_TRUE(reader);
    EXPECT_EQ(hub_->admit({}).why_not, NoPlace::kClients);
  }
  EXPECT_TRUE(eventually([&] { return hub_->admit({}).place.has_value(); }));
}

TEST_F(HubTest, AMessageWhoseFrameWouldBeTooLargeIsAGapInItsPlace) {
  config_.max_message_bytes = 700;
  start();
  auto reader = open({"news"});
  hub_->listener().on_subscribed("news");
  ASSERT_TRUE(has_begun(*reader));
  const std::string fits(100, '\n');
  const std::string too_large(101, '\n');
  EXPECT_TRUE(hub_->fits("news", fits));
  EXPECT_TRUE(hub_->fits("news", std::string(700, 'x')));
  EXPECT_FALSE(hub_->fits("news", too_large));
  EXPECT_FALSE(hub_->fits("news", std::string(701, 'x')));
  EXPECT_FALSE(hub_->fits("news", std::string(300, '\xff'))) << "Each becomes a U+FFFD of three bytes.";
  std::string escaped = R"({"data":")";
  for (int i = 0; i < 101; ++i) escaped += "\\n";
  EXPECT_FALSE(hub_->fits("news", escaped + "\"}"));
  publish("news", fits);
  publish("news", too_large);
  publish("news", "after");
  ASSERT_TRUE(read_data(*reader, 3));
  EXPECT_THAT(data_of(*reader),
              ElementsAre(fits, R"({"channel":"news","missed":1,"reason":"too-large"})", "after"));
}

TEST_F(HubTest, AnAddressHasItsOwnLimitAndAPlaceComesBackWithItsStream) {
  config_.max_clients_per_address = 2;
  start();
  address_ = *parse_ip_address("2001:db8::1");
  auto first = open({"news"});
  {
    address_ = *parse_ip_address("2001:db8::2");  // Of the same /64.
    auto second = open({"news"});
    ASSERT_TRUE(first && second);
    EXPECT_EQ(hub_->admit(address_).why_not, NoPlace::kClientsPerAddress);
    EXPECT_TRUE(hub_->admit(*parse_ip_address("2001:db8:0:1::")).place);
    EXPECT_TRUE(hub_->admit(*parse_ip_address("192.0.2.1")).place);
    EXPECT_EQ(hub_->clients(), 2U) << "Who is refused, or not served in the end, keeps no place.";
  }
  EXPECT_TRUE(eventually([&] { return hub_->admit(address_).place.has_value(); }));
}

TEST_F(HubTest, WhoIsRefusedAChannelGivesThePlaceOfItsAddressBack) {
  config_.max_clients_per_address = 2;
  config_.max_channels = 1;
  start();
  auto reader = open({"a"});
  ASSERT_TRUE(reader);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(open({"b"}));
  EXPECT_TRUE(open({"a"}));
}

TEST_F(HubTest, StreamsAreOpenedNoFasterThanAllowedAndWhoIsRefusedForOtherReasonsTakesNoTurn) {
  config_.max_connects_per_second = 2;
  config_.max_clients_per_address = 1;
  start();
  const auto other = *parse_ip_address("192.0.2.1");
  auto admitted = hub_->admit({});
  ASSERT_TRUE(admitted.place);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(hub_->admit({}).why_not, NoPlace::kClientsPerAddress);
  EXPECT_TRUE(hub_->admit(other).place);
  // Of many at once some are refused, however long a call takes: each second that passes allows two more.
  EXPECT_TRUE(eventually([&] {
    const auto admission = hub_->admit(other);
    return !admission.place && admission.why_not == NoPlace::kConnectsPerSecond;
  }));
  EXPECT_EQ(hub_->clients(), 1U);
}

TEST_F(HubTest, AnEmptyGatewayIsDrainedAtOnce) {
  start();
  std::promise<void> done;
  hub_->drain(std::chrono::hours(1), [&] { done.set_value(); });
  EXPECT_EQ(done.get_future().wait_for(kDeadline), std::future_status::ready);
  EXPECT_EQ(hub_->admit({}).why_not, NoPlace::kDraining);
}

TEST_F(HubTest, ADrainEndsWithItsLastStream) {
  start();
  auto reader = open({"news"});
  hub_->listener().on_subscribed("news");
  ASSERT_TRUE(has_begun(*reader));
  std::promise<void> done;
  hub_->drain(std::chrono::milliseconds(200), [&] { done.set_value(); });
  ASSERT_TRUE(eventually([&] {
    reader->read(1 << 20);
    return reader->is_closed();
  }));
  reader->close();
  EXPECT_EQ(done.get_future().wait_for(kDeadline), std::future_status::ready);
}

TEST_F(HubTest, PastTheMemoryLimitTheOldestMessagesOfAllChannelsGo) {
  config_.memory_limit_bytes = 64 << 10;
  config_.record = {"*"};
  start();
  hub_->listener().on_recording("*");
  for (int i = 0; i < 200; ++i) publish("c" + std::to_string(i % 10), std::string(1'000, 'x'));
  std::size_t bytes = 0;
  for (const ChannelInfo& info : hub_->channels(100)) bytes += info.log_bytes;
  EXPECT_LE(bytes, 64U << 10);
  EXPECT_GT(bytes, 32U << 10);
}

TEST_F(HubTest, AFormThatIsMadeForReadersIsWithinTheMemoryLimitAfterTheNextTick) {
  config_.memory_limit_bytes = 64 << 10;
  config_.record = {"*"};
  start();
  hub_->listener().on_recording("*");
  for (int i = 0; i < 50; ++i) publish("a", std::string(1'000, 'x'));
  const auto frame_bytes = [&] { return value_of("weir_frame_bytes"); };
  ASSERT_GT(frame_bytes(), 50'000);
  auto reader = open({"a", "b"}, {}, 100);
  hub_->listener().on_subscribed("b");
  ASSERT_TRUE(read_data(*reader, 51));
  ASSERT_GT(frame_bytes(), 64 << 10);
  hub_->tick(steady_clock::now());
  EXPECT_LE(frame_bytes(), 64 << 10);
}

TEST_F(HubTest, ARecordedChannelKeepsTheGapOfAMessageThatWasTooLargeAsItsFirst) {
  config_.record = {"log.*"};
  start();
  hub_->listener().on_recording("log.*");
  hub_->listener().on_too_large("log.1");
  publish("log.1", "behind it");
  auto reader = open({"log.1"}, {}, 10);
  ASSERT_TRUE(read_data(*reader, 2));
  EXPECT_THAT(data_of(*reader)[0], HasSubstr(R"("missed":1,"reason":"too-large")"));
  EXPECT_EQ(data_of(*reader)[1], "behind it");
}

TEST_F(HubTest, ARefusedChannelIsAskedForAgainByTheNextClient) {
  start();
  {
    auto refused = open({"secret"});
    hub_->listener().on_refused("secret", "NOPERM");
    ASSERT_TRUE(eventually([&] {
      refused->read(1 << 20);
      return refused->is_closed();
    }));
  }
  ASSERT_TRUE(eventually([&] { return hub_->clients() == 0; }));
  bus_.wanted.clear();  // The bus has forgotten it.
  auto allowed = open({"secret"});
  EXPECT_THAT(bus_.wanted, ElementsAre("secret"));
  hub_->listener().on_subscribed("secret");
  ASSERT_TRUE(has_begun(*allowed));
  hub_->tick(steady_clock::now() + std::chrono::hours(1));
  EXPECT_THAT(bus_.wanted, ElementsAre("secret")) << "the linger of the refused one does not end the new one";
}

}  // namespace
}  // namespace weir
