#include "broker/fanout/shard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <list>
#include <thread>

#include "tests/unit/fanout/fanout_fixture.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::chrono::seconds kDeadline{20};  // Reached by failing tests alone.

class ShardTest : public ::testing::Test {
 protected:
  ~ShardTest() override {
    if (shard_) shard_->stop();
  }

  void start(ShardOptions options = shard_options()) {
    options.epoch = kEpoch;
    shard_ = std::make_unique<Shard>(std::move(options), publisher_.appended(), 1);
    shard_->start();
  }
  ChannelPtr channel(const std::string& name, ChannelLog::Limits limits = log_limits(),
                     SlowClientPolicy policy = SlowClientPolicy::kSkip) {
    auto made = std::make_shared<Channel>(name, limits, policy);
    publisher_.acknowledge(*made);
    return made;
  }
  void publish(const ChannelPtr& to, const std::string& data, const std::string& type = {}) {
    publisher_.publish(*to, data, type);
    shard_->wake();
  }
  // Reads until `is_done`; false if that takes for ever.
  static bool read_until(StreamReader& reader, const std::function<bool()>& is_done) {
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (!is_done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      if (reader.read(1 << 20) == 0) std::this_thread::yield();
    }
    return true;
  }
  static bool read_events(StreamReader& reader, std::size_t count) {
    return read_until(reader, [&] { return reader.events().size() >= count; });
  }
  static bool read_to_end(StreamReader& reader) {
    return read_until(reader, [&] { return reader.is_closed(); });
  }
  static bool eventually(const std::function<bool()>& is_done) {
    StreamReader unused;
    return read_until(unused, is_done);
  }
  std::uint64_t closed(CloseReason reason) const {
    return shard_->stats().closed[static_cast<std::size_t>(reason)].value();
  }
  std::uint64_t missed(GapReason reason) const {
    return shard_->stats().missed[static_cast<std::size_t>(reason)].value();
  }
  static std::uint64_t observed(const TimeTally& times) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i <= kBoundsMicros.size(); ++i) sum += times.bucket(i);
    return sum;
  }
  static std::vector<std::string> data_of(const StreamReader& reader) {
    std::vector<std::string> data;
    for (const ReceivedEvent& event : reader.events()) {
      if (event.has_data) data.push_back(event.data);
    }
    return data;
  }

  Publisher publisher_;
  std::unique_ptr<Shard> shard_;
};

TEST_F(ShardTest, SendsHeadAndPositionAtOnceAndThenWhatIsPublished) {
  start();
  const auto news = channel("news");
  publish(news, "before");
  auto reader = open_stream(*shard_, {{news}, {}, {}, 0});
  ASSERT_TRUE(read_events(reader, 1));
  EXPECT_THAT(reader.head(), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(reader.events()[0].comment, "weir heartbeat=15");
  EXPECT_EQ(reader.events()[0].id, format_event_id(kEpoch, publisher_.appended()));
  publish(news, "after");
  ASSERT_TRUE(read_events(reader, 2));
  EXPECT_THAT(data_of(reader), ElementsAre("after"));
}

TEST_F(ShardTest, TheFirstBlockHoldsTheCommentsOfTheRequest) {
  start();
  auto reader = open_stream(*shard_, {{channel("news")}, {}, {}, 0, {}, ": one\n: two\n"});
  ASSERT_TRUE(read_events(reader, 1));
  EXPECT_EQ(reader.events()[0].comment, "weir heartbeat=15\none\ntwo");
  EXPECT_FALSE(reader.events()[0].is_dispatched());
  EXPECT_EQ(reader.last_event_id(), format_event_id(kEpoch, publisher_.appended()));
}

TEST_F(ShardTest, HoldsTheHeadBackUntilTheBusHasAcknowledged) {
  start();
  auto late = std::make_shared<Channel>("late", log_limits(), SlowClientPolicy::kSkip);
  auto waiting = open_stream(*shard_, {{late}, {}, {}, 0});
  // Another stream's first bytes show that the shard has seen this one.
  auto other = open_stream(*shard_, {{channel("other")}, {}, {}, 0});
  ASSERT_TRUE(read_events(other, 1));
  EXPECT_EQ(waiting.read(1), 0U);
  publisher_.acknowledge(*late);
  shard_->wake();
  ASSERT_TRUE(read_events(waiting, 1));
  publish(late, "first");
  ASSERT_TRUE(read_events(waiting, 2));
  EXPECT_THAT(data_of(waiting), ElementsAre("first"));
}

TEST_F(ShardTest, AHeadThatWaitedTooLongIsSentAndALateAcknowledgementComesWithAGap) {
  ShardOptions options = shard_options();
  options.live_wait = std::chrono::milliseconds(1);
  start(options);
  auto late = std::make_shared<Channel>("late", log_limits(), SlowClientPolicy::kSkip);
  auto reader = open_stream(*shard_, {{late}, {}, {}, 0});
  ASSERT_TRUE(read_events(reader, 1));
  publisher_.acknowledge(*late);
  publish(late, "first");
  ASSERT_TRUE(read_until(reader, [&] { return data_of(reader).size() == 2; }));
  EXPECT_THAT(data_of(reader),
              ElementsAre(R"({"channel":"late","missed":null,"reason":"bus-down"})", "first"));
}

TEST_F(ShardTest, ARefusedChannelIsAnsweredWith403) {
  start();
  auto refused = std::make_shared<Channel>("refused", log_limits(), SlowClientPolicy::kSkip);
  auto reader = open_stream(*shard_, {{channel("other"), refused}, {}, {}, 0});
  refused->is_refused = true;
  refused->leave_hint();
  shard_->wake();
  ASSERT_TRUE(read_until(reader, [&] { return !reader.head().empty(); }));
  EXPECT_THAT(reader.head(), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(reader.head(), HasSubstr("Channel: refused"));
}

TEST_F(ShardTest, HeartbeatsAreSentInSilence) {
  ShardOptions options = shard_options();
  options.heartbeat = std::chrono::milliseconds(100);
  start(options);
  auto reader = open_stream(*shard_, {{channel("news")}, {}, {}, 0});
  ASSERT_TRUE(read_events(reader, 4));
  for (std::size_t i = 1; i < 4; ++i) {
    EXPECT_FALSE(reader.events()[i].has_data);
    EXPECT_EQ(reader.events()[i].id, "");
  }
  EXPECT_GE(shard_->stats().heartbeats.value(), 3U);
}

TEST_F(ShardTest, AnEndIsTheLastEventAndClosesTheStream) {
  start();
  const auto build = channel("build");
  auto reader = open_stream(*shard_, {{build}, {}, {}, 0});
  ASSERT_TRUE(read_events(reader, 1));
  publisher_.publish_end(*build);
  publisher_.publish(*build, "of the next build");
  shard_->wake();
  ASSERT_TRUE(read_to_end(reader));
  EXPECT_THAT(data_of(reader), ElementsAre(R"({"channel":"build"})"));
  EXPECT_THAT(reader.last_event_id(), HasSubstr("~end"));
  EXPECT_TRUE(reader.has_last_chunk());
}

TEST_F(ShardTest, AStreamOfSeveralChannelsClosesWhenAllHaveEnded) {
  start();
  const auto a = channel("a");
  const auto b = channel("b");
  auto reader = open_stream(*shard_, {{a, b}, {Form::kEvents, true}, {}, 0});
  ASSERT_TRUE(read_events(reader, 1));
  publisher_.publish_end(*a);
  publisher_.publish(*b, "still here");
  publisher_.publish(*a, "not for this stream");
  publisher_.publish_end(*b);
  shard_->wake();
  ASSERT_TRUE(read_to_end(reader));
  EXPECT_THAT(data_of(reader), ElementsAre(R"({"channel":"a"})", "still here", R"({"channel":"b"})"));
}

constexpr const char* kDown = R"({"state":"down"})";
constexpr const char* kUp = R"({"state":"up"})";

// What `reader` was told last; nothing is said while all is well.
std::string state_told(const StreamReader& reader) {
  std::string state = kUp;
  for (const ReceivedEvent& event : reader.events()) {
    if (event.type == "weir:bus") state = event.data;
  }
  return state;
}

TEST_F(ShardTest, EachStreamIsToldOnceThatTheBusHasGoneAndThatItIsBack) {
  start();
  const auto a = channel("a");
  const auto b = channel("b");
  std::vector<StreamReader> readers;
  readers.push_back(open_stream(*shard_, {{a}, {Form::kChannel, true}, {}, 0}));
  readers.push_back(open_stream(*shard_, {{a}, {Form::kJson, true}, {}, 0}));
  readers.push_back(open_stream(*shard_, {{a, b}, {Form::kEvents, true}, {}, 0}));
  readers.push_back(open_stream(*shard_, {{a, b}, {Form::kEvents, false}, {}, 0}));
  for (StreamReader& reader : readers) ASSERT_TRUE(read_events(reader, 1));
  shard_->set_bus_up(false);
  for (StreamReader& reader : readers) ASSERT_TRUE(read_events(reader, 2));
  shard_->set_bus_up(true);
  for (StreamReader& reader : readers) {
    ASSERT_TRUE(read_events(reader, 3));
    EXPECT_THAT(data_of(reader), ElementsAre(kDown, kUp));
    EXPECT_EQ(reader.events()[1].type, "weir:bus");
    EXPECT_EQ(reader.last_event_id(), reader.events()[0].id) << "It moves no position.";
  }
}

TEST_F(ShardTest, WhoComesWhileTheBusIsAwayIsToldSoBehindTheFirstBlock) {
  start();
  const auto news = channel("news");
  publish(news, "before");
  shard_->set_bus_up(false);
  auto reader = open_stream(*shard_, {{news}, {}, "gother.1", 0});
  ASSERT_TRUE(read_until(reader, [&] { return data_of(reader).size() == 3; }));
  EXPECT_EQ(reader.events()[0].comment, "weir heartbeat=15");
  EXPECT_EQ(reader.events()[1].data, kDown);
  EXPECT_EQ(reader.events()[2].type, "weir:gap");
  EXPECT_EQ(reader.events()[3].type, "weir:live");
  shard_->set_bus_up(true);
  ASSERT_TRUE(read_until(reader, [&] { return data_of(reader).back() == kUp; }));
  EXPECT_EQ(data_of(reader).size(), 4U) << "It was told once that the bus is away.";
}

TEST_F(ShardTest, ANewcomerThatIsToldOfTheBusFirstDoesNotMoveItBeforeMessagesOfOthers) {
  const auto a = channel("a");
  const auto b = channel("b");
  Shard shard(shard_options(), publisher_.appended(), 3);  // Not started: this thread runs its loop.
  const auto run = [&] {
    while (shard.loop().poll() > 0) {
    }
  };
  auto merged = open_stream(shard, {{a, b}, {}, {}, 0});
  run();
  publisher_.publish(*a, "read before the bus went");
  auto newcomer = open_stream(shard, {{b}, {}, {}, 0});
  shard.set_bus_up(false);
  run();
  publisher_.publish(*b, "brought when it was back");
  shard.set_bus_up(true);
  shard.wake();
  run();
  for (StreamReader* reader : {&merged, &newcomer}) {
    while (reader->read(1 << 20) > 0) {
    }
  }
  EXPECT_THAT(data_of(merged),
              ElementsAre("read before the bus went", kDown, kUp, "brought when it was back"));
  EXPECT_THAT(data_of(newcomer), ElementsAre(kDown, kUp, "brought when it was back"));
}

TEST_F(ShardTest, WhateverHowFastTheBusComesAndGoesTheLastThingToldIsTrue) {
  start();
  const auto news = channel("news");
  for (const bool is_up : {true, false}) {
    auto reader = open_stream(*shard_, {{news}, {}, {}, 0});
    ASSERT_TRUE(read_events(reader, 1));
    for (int i = 0; i < 1'000; ++i) shard_->set_bus_up(i % 2 == 0);
    shard_->set_bus_up(!is_up);
    shard_->set_bus_up(is_up);
    publish(news, "last");
    const std::string expected = is_up ? kUp : kDown;
    ASSERT_TRUE(read_until(reader, [&] {
      const auto data = data_of(reader);
      return std::find(data.begin(), data.end(), "last") != data.end() && state_told(reader) == expected;
    }));
    // Another stream's first bytes show that the shard has done all that it was asked for.
    auto other = open_stream(*shard_, {{news}, {}, {}, 0});
    ASSERT_TRUE(read_events(other, 1));
    while (reader.read(1 << 20) > 0) {
    }
    EXPECT_EQ(state_told(reader), expected);
    std::string state = kUp;
    for (const ReceivedEvent& event : reader.events()) {
      if (event.type != "weir:bus") continue;
      EXPECT_NE(event.data, state) << "It is told of changes alone.";
      state = event.data;
    }
  }
}

TEST_F(ShardTest, AStuckClientIsToldTheStateOfTheBusOnceAndNoFrameIsTorn) {
  start();
  ChannelLog::Limits limits = log_limits();
  limits.queue_messages = 1'000;
  const auto news = channel("news", limits);
  auto reader = open_stream(*shard_, {{news}, {}, {}, 0});
  ASSERT_TRUE(read_events(reader, 1));
  const std::string large(1 << 20, 'x');
  publish(news, large);
  ASSERT_TRUE(eventually([&] { return shard_->stats().slow_clients.value() == 1; }));
  const auto held = publisher_.frame_bytes().total();
  for (int i = 0; i < 1'000; ++i) {
    shard_->set_bus_up(i % 2 != 0);
    // A stream that keeps up has been told: so it was the stuck one's turn, too.
    auto other = open_stream(*shard_, {{news}, {}, {}, 0});
    ASSERT_TRUE(read_events(other, 1));
  }
  shard_->set_bus_up(false);
  EXPECT_EQ(publisher_.frame_bytes().total(), held);
  publish(news, "behind");
  ASSERT_TRUE(read_until(reader, [&] { return data_of(reader).size() == 3; }));
  EXPECT_THAT(data_of(reader), ElementsAre(large, kDown, "behind"));
}

TEST_F(ShardTest, WhatWasReadBeforeTheBusWentIsSentBefore) {
  start();
  const auto a = channel("a");
  const auto b = channel("b");
  auto one = open_stream(*shard_, {{a}, {}, {}, 0});
  auto both = open_stream(*shard_, {{a, b}, {}, {}, 0});
  ASSERT_TRUE(read_events(one, 1));
  ASSERT_TRUE(read_events(both, 1));
  for (int round = 0; round < 100; ++round) {
    const auto before = one.events().size();
    const auto before_both = both.events().size();
    publisher_.publish(*b, "1");
    publisher_.publish(*a, "2");
    shard_->set_bus_up(false);  // Before anybody was woken.
    ASSERT_TRUE(read_events(one, before + 2));
    ASSERT_TRUE(read_events(both, before_both + 3));
    EXPECT_EQ(one.events()[before + 1].data, kDown);
    EXPECT_EQ(both.events()[before_both + 2].data, kDown);
    shard_->set_bus_up(true);
    ASSERT_TRUE(read_events(one, before + 3));
    ASSERT_TRUE(read_events(both, before_both + 4));
  }
}

// A gap that comes with the bus is never ahead of the news of it.
TEST_F(ShardTest, ThatTheBusIsBackIsToldBeforeWhatItBrings) {
  start();
  const auto a = channel("a");
  const auto b = channel("b");
  std::vector<StreamReader> readers;
  for (int i = 0; i < 40; ++i) {
    Visit visit{{a}, {}, {}, 0};
    if (i % 2 != 0) visit.channels.push_back(b);
    readers.push_back(open_stream(*shard_, std::move(visit)));
    ASSERT_TRUE(read_events(readers.back(), 1));
  }
  for (int round = 0; round < 200; ++round) {
    const std::string back = "back " + std::to_string(round);
    shard_->set_bus_up(false);
    for (StreamReader& reader : readers)
      ASSERT_TRUE(read_until(reader, [&] { return state_told(reader) == kDown; }));
    publish(b, "the shard is at work");
    shard_->set_bus_up(true);
    publish(a, back);
    for (StreamReader& reader : readers) {
      ASSERT_TRUE(read_until(reader, [&] { return data_of(reader).back() == back; }));
      EXPECT_EQ(state_told(reader), kUp);
    }
  }
}

TEST_F(ShardTest, AStuckClientIsClosedAndGivesItsLeaseBack) {
  ShardOptions options = shard_options();
  options.stuck = std::chrono::milliseconds(200);
  start(options);
  const auto news = channel("news");
  StreamReader reader;
  std::promise<void> ended;
  ClientStart client;
  client.channels = {news};
  client.request.head = "HTTP/1.1 200 OK\r\n\r\n";
  client.socket = reader.take_socket();
  client.lease = Lease(nullptr, [&](void*) { ended.set_value(); });
  shard_->add(std::move(client));
  ASSERT_TRUE(read_events(reader, 1));
  for (int i = 0; i < 10; ++i) publish(news, std::string(20'000, 'x'));
  ASSERT_EQ(ended.get_future().wait_for(kDeadline), std::future_status::ready);
  EXPECT_EQ(shard_->stats().closed[static_cast<std::size_t>(CloseReason::kStuck)].value(), 1U);
  EXPECT_EQ(shard_->stats().clients.value(), 0U);
}

TEST_F(ShardTest, ASlowClientIsToldExactlyWhatItMissed) {
  start();
  ChannelLog::Limits limits = log_limits();
  limits.queue_messages = 5;
  limits.history_messages = 5;
  const auto news = channel("news", limits);
  auto reader = open_stream(*shard_, {{news}, {}, {}, 0});
  ASSERT_TRUE(read_events(reader, 1));
  constexpr int kMessages = 500;
  for (int i = 1; i <= kMessages; ++i) publish(news, std::to_string(i) + std::string(1'000, 'x'));
  ASSERT_TRUE(read_until(reader, [&] {
    return !reader.events().empty() &&
           reader.events().back().data.starts_with(std::to_string(kMessages) + "x");
  }));
  std::size_t received = 0;
  std::size_t told = 0;
  for (const ReceivedEvent& event : reader.events()) {
    if (event.type == "weir:gap") {
      EXPECT_THAT(event.data, HasSubstr("slow-client"));
      told += std::stoul(event.data.substr(event.data.find("\"missed\":") + 9));
    } else if (event.has_data) {
      ++received;
    }
  }
  EXPECT_EQ(received + told, static_cast<std::size_t>(kMessages));
  EXPECT_GT(told, 0U);
  EXPECT_EQ(missed(GapReason::kSlowClient), told);
}

TEST_F(ShardTest, AStuckClientDisturbsNobodyElse) {
  start();
  ChannelLog::Limits limits = log_limits();
  limits.queue_messages = 5;
  const auto news = channel("news", limits);
  auto stuck = open_stream(*shard_, {{news}, {}, {}, 0});
  auto reader = open_stream(*shard_, {{news}, {}, {}, 0});
  ASSERT_TRUE(read_events(stuck, 1));
  ASSERT_TRUE(read_events(reader, 1));
  for (std::size_t i = 1; i <= 300; ++i) {
    publish(news, std::to_string(i) + std::string(1'000, 'x'));
    ASSERT_TRUE(read_until(reader, [&] { return data_of(reader).size() == i; }));
  }
  EXPECT_LE(news->log.counts().messages, limits.history_messages + limits.queue_messages);
}

// Clients that stop reading in the middle of a large frame, each of its own channel, one after the other.
class HeldMemoryTest : public ShardTest {
 protected:
  static constexpr std::size_t kFrame = 600'000;  // Larger than the sockets take.

  void start_with_limit(std::size_t bytes_max, bool has_retry = false) {
    has_retry_ = has_retry;
    held_ = std::make_shared<HeldMemory>(publisher_.counter(), bytes_max);
    ShardOptions options = shard_options();
    options.held = held_;
    start(options);
  }
  StreamReader open_stuck() {
    ChannelLog::Limits limits = log_limits();
    limits.history_messages = 0;
    channels_.push_back(channel("c" + std::to_string(channels_.size()), limits));
    auto reader = open_stream(*shard_, {{channels_.back()}, {}, {}, 0});
    EXPECT_TRUE(read_events(reader, 1));
    Message message;
    message.data = std::string(kFrame, 'x');
    if (has_retry_) message.retry = std::chrono::seconds(5);
    const auto beside_logs = publisher_.frame_bytes().beside_logs();
    publisher_.publish(*channels_.back(), message);
    shard_->wake();
    // The log lets go of it when the shard has sent what the socket takes.
    EXPECT_TRUE(eventually([&] {
      return publisher_.frame_bytes().beside_logs() > beside_logs || closed(CloseReason::kMemory) > 0;
    }));
    return reader;
  }

  bool has_retry_ = false;
  std::shared_ptr<HeldMemory> held_;
  std::vector<ChannelPtr> channels_;
};

TEST_F(HeldMemoryTest, CountsWhatStuckClientsHoldBesideTheLogs) {
  start_with_limit(100 * kFrame);
  std::list<StreamReader> readers;
  for (std::size_t i = 1; i <= 3; ++i) {
    readers.push_back(open_stuck());
    EXPECT_GE(held_->total(), i * kFrame);
    EXPECT_LE(held_->total(), i * (kFrame + 2'000));
  }
  readers.clear();
  EXPECT_TRUE(eventually([&] { return held_->total() == 0; }));
}

TEST_F(HeldMemoryTest, AFrameWithARetryIsHeldOnceWhoeverIsStuckInIt) {
  start_with_limit(100 * kFrame);
  const auto news = channel("news");
  std::list<StreamReader> readers;
  for (int i = 0; i < 20; ++i) {
    readers.push_back(open_stream(*shard_, {{news}, {}, {}, 0}));
    ASSERT_TRUE(read_events(readers.back(), 1));
  }
  Message message;
  message.data = std::string(kFrame, 'x');
  message.retry = std::chrono::seconds(5);
  publisher_.publish(*news, message);
  shard_->wake();
  ASSERT_TRUE(eventually([&] { return shard_->stats().slow_clients.value() == readers.size(); }));
  EXPECT_LE(held_->total(), kFrame + readers.size() * 1'000);
  EXPECT_LE(publisher_.frame_bytes().total(), kFrame + 1'000);
  for (StreamReader& reader : readers) {
    ASSERT_TRUE(read_events(reader, 2));
    EXPECT_EQ(reader.events()[1].data, message.data);
    EXPECT_EQ(reader.events()[1].retry.size(), 5U);
  }
}

TEST_F(HeldMemoryTest, PastTheLimitThoseThatHaveBeenStuckForLongestAreEnded) {
  start_with_limit(3 * kFrame + kFrame / 2);
  std::vector<StreamReader> readers;
  for (int i = 0; i < 6; ++i) {
    readers.push_back(open_stuck());
    // Who was stuck before whom is told by ticks.
    const Tick now = Shard::ticks(std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now().time_since_epoch()));
    ASSERT_TRUE(eventually([&] {
      return Shard::ticks(std::chrono::duration_cast<std::chrono::milliseconds>(
                 std::chrono::steady_clock::now().time_since_epoch())) > now + 1;
    }));
  }
  ASSERT_TRUE(eventually([&] { return closed(CloseReason::kMemory) == 3; }));
  EXPECT_LE(held_->total(), held_->limit());
  for (std::size_t i = 0; i < readers.size(); ++i) {
    if (i < 3) {
      EXPECT_TRUE(read_to_end(readers[i])) << i;
    } else {
      EXPECT_TRUE(read_events(readers[i], 2)) << i;
      EXPECT_EQ(readers[i].events()[1].data.size(), kFrame) << i;
    }
  }
}

TEST_F(HeldMemoryTest, WhoIsStuckInAFrameThatALogStillHasIsLeftAlone) {
  start_with_limit(1'000);
  const auto news = channel("news");
  auto reader = open_stream(*shard_, {{news}, {}, {}, 0});
  ASSERT_TRUE(read_events(reader, 1));
  publish(news, std::string(kFrame, 'x'));
  ASSERT_TRUE(eventually([&] { return shard_->stats().slow_clients.value() == 1; }));
  shard_->relieve();
  ASSERT_TRUE(read_events(reader, 2));
  EXPECT_EQ(closed(CloseReason::kMemory), 0U);
}

TEST_F(ShardTest, RetryDigitsAreWholeWhereverTheSocketCutsAFrame) {
  start();
  ChannelLog::Limits limits = log_limits();
  limits.queue_messages = 1'000'000;
  limits.queue_bytes = 100 << 20;
  const auto news = channel("news", limits);
  for (std::size_t length = 0; length < 40; ++length) {
    auto reader = open_stream(*shard_, {{news}, {}, {}, 0});
    ASSERT_TRUE(read_events(reader, 1));
    Message message;
    message.data = std::string(length, 'x');
    message.retry = std::chrono::seconds(5);
    std::size_t published = 0;
    while (shard_->stats().slow_clients.value() == 0) {
      for (int i = 0; i < 500; ++i) publisher_.publish(*news, message);
      published += 500;
      shard_->wake();
      std::this_thread::yield();
    }
    ASSERT_TRUE(read_events(reader, published + 1));
    const std::string retry = reader.events()[1].retry;
    EXPECT_EQ(retry.size(), 5U);
    for (std::size_t i = 1; i <= published; ++i) {
      ASSERT_EQ(reader.events()[i].retry, retry);
      ASSERT_EQ(reader.events()[i].data, message.data);
    }
    reader.close();
    ASSERT_TRUE(eventually([&] { return shard_->stats().clients.value() == 0; }));
  }
}

TEST_F(ShardTest, AReplayThatIsCutBeginsWithAGap) {
  start();
  ChannelLog::Limits limits = log_limits();
  limits.history_messages = 3;
  const auto news = channel("news", limits);
  for (const char* data : {"1", "2", "3", "4", "5"}) publish(news, data);
  auto reader = open_stream(*shard_, {{news}, {}, {}, 10});
  ASSERT_TRUE(read_until(reader, [&] { return data_of(reader).size() == 5; }));
  EXPECT_THAT(data_of(reader), ElementsAre(R"({"channel":"news","missed":2,"reason":"history"})", "3", "4",
                                           "5", R"({"replayed":3})"));
  const std::string first = reader.events()[0].id;
  auto again = open_stream(*shard_, {{news}, {}, first, 10});
  ASSERT_TRUE(read_until(again, [&] { return data_of(again).size() == 5; }));
  EXPECT_THAT(data_of(again), ElementsAre(R"({"channel":"news","missed":null,"reason":"history"})", "3", "4",
                                          "5", R"({"replayed":3})"))
      << "who was cut at once is told again";
  auto enough = open_stream(*shard_, {{news}, {}, {}, 3});
  ASSERT_TRUE(read_until(enough, [&] { return data_of(enough).size() == 4; }));
  EXPECT_THAT(data_of(enough), ElementsAre("3", "4", "5", R"({"replayed":3})"));
}

TEST_F(ShardTest, AReplayGoesNoFurtherBackThanTheLastEnd) {
  start();
  const auto news = channel("news");
  publish(news, "of the first run");
  publisher_.publish_end(*news);
  publish(news, "of the second");
  auto reader = open_stream(*shard_, {{news}, {}, {}, 10});
  ASSERT_TRUE(read_until(reader, [&] { return data_of(reader).size() == 2; }));
  EXPECT_THAT(data_of(reader), ElementsAre("of the second", R"({"replayed":1})"));
  publish(news, "live");
  ASSERT_TRUE(read_until(reader, [&] { return data_of(reader).size() == 3; }));
  publisher_.publish_end(*news);
  shard_->wake();
  ASSERT_TRUE(read_to_end(reader));
  auto after = open_stream(*shard_, {{news}, {}, {}, 10});
  ASSERT_TRUE(read_to_end(after));
  EXPECT_THAT(data_of(after), ElementsAre("of the second", "live", R"({"channel":"news"})"));
}

TEST_F(ShardTest, AGapOfOneChannelMovesThePositionBehindIt) {
  start();
  ChannelLog::Limits limits = log_limits();
  limits.history_messages = limits.queue_messages = 5;
  const auto news = channel("news", limits);
  auto reader = open_stream(*shard_, {{news}, {}, {}, 0});
  ASSERT_TRUE(read_events(reader, 1));
  int published = 0;
  while (shard_->stats().slow_clients.value() == 0)
    publish(news, std::to_string(++published) + std::string(4'000, 'x'));
  for (int i = 0; i < 20; ++i) publish(news, std::to_string(++published) + std::string(4'000, 'x'));
  ASSERT_TRUE(read_until(reader, [&] {
    return !reader.events().empty() && reader.events().back().data.starts_with(std::to_string(published));
  }));
  const auto& events = reader.events();
  // It may have lagged again meanwhile: behind the last gap there is nothing but messages.
  const auto is_gap = [](const ReceivedEvent& event) { return event.type == "weir:gap"; };
  const auto behind_gap = std::find_if(events.rbegin(), events.rend(), is_gap).base();
  ASSERT_NE(behind_gap, events.begin());
  EXPECT_FALSE(behind_gap->has_data);
  EXPECT_EQ(parse_event_id(behind_gap->id)->sequence + 1, parse_event_id((behind_gap + 1)->id)->sequence);
}

TEST_F(ShardTest, PolicyDisconnectClosesASlowClient) {
  start();
  ChannelLog::Limits limits = log_limits();
  limits.queue_messages = 5;
  const auto news = channel("news", limits, SlowClientPolicy::kDisconnect);
  auto reader = open_stream(*shard_, {{news}, {}, {}, 0});
  ASSERT_TRUE(read_events(reader, 1));
  for (int i = 0; i < 100; ++i) publish(news, std::string(1'000, 'x'));
  ASSERT_TRUE(read_to_end(reader));
  EXPECT_FALSE(reader.has_last_chunk());
  EXPECT_TRUE(eventually([&] { return closed(CloseReason::kSlowClient) == 1; }));
}

TEST_F(ShardTest, ResumesExactlyAfterTheIdAndMarksWhereItIsLiveAgain) {
  start();
  const auto news = channel("news");
  const auto id = format_event_id(kEpoch, publisher_.publish(*news, "seen"));
  publish(news, "missed 1");
  publish(news, "missed 2");
  auto reader = open_stream(*shard_, {{news}, {}, id, 0});
  ASSERT_TRUE(read_until(reader, [&] { return data_of(reader).size() == 3; }));
  publish(news, "live");
  ASSERT_TRUE(read_until(reader, [&] { return data_of(reader).size() == 4; }));
  EXPECT_THAT(data_of(reader), ElementsAre("missed 1", "missed 2", R"({"replayed":2})", "live"));
  EXPECT_EQ(reader.events()[0].id, id);
}

TEST_F(ShardTest, AnUnknownIdIsAGapThatIsToldAgainToWhomItDidNotReach) {
  start();
  const auto news = channel("news");
  publish(news, "old");
  for (const std::string id : {"gother000.5", "garbage", "gepoch000.999", ""}) {
    auto reader = open_stream(*shard_, {{news}, {}, id, 0});
    ASSERT_TRUE(read_until(reader, [&] { return data_of(reader).size() == 2; })) << id;
    EXPECT_THAT(data_of(reader)[0], HasSubstr(R"("missed":null,"reason":"history")"));
    EXPECT_EQ(reader.events()[0].id, "gepoch000.0")
        << "who is cut here comes back with an id that is unknown, too";
    EXPECT_EQ(reader.last_event_id(), format_event_id(kEpoch, publisher_.appended()));
  }
}

TEST_F(ShardTest, ReplaysTheLastMessages) {
  start();
  const auto news = channel("news");
  for (const char* data : {"1", "2", "3"}) publish(news, data);
  auto reader = open_stream(*shard_, {{news}, {}, {}, 2});
  ASSERT_TRUE(read_until(reader, [&] { return data_of(reader).size() == 3; }));
  EXPECT_THAT(data_of(reader), ElementsAre("2", "3", R"({"replayed":2})"));
}

TEST_F(ShardTest, WithoutChunksItSendsTheBlocksAlone) {
  start();
  const auto news = channel("news");
  auto reader = open_stream(*shard_, {{news}, {Form::kChannel, false}, {}, 0});
  ASSERT_TRUE(read_events(reader, 1));
  publish(news, "plain");
  publisher_.publish_end(*news);
  shard_->wake();
  ASSERT_TRUE(read_to_end(reader));
  EXPECT_THAT(data_of(reader), ElementsAre("plain", R"({"channel":"news"})"));
}

TEST_F(ShardTest, ADrainTellsEachClientWhyAndClosesItCleanly) {
  start();
  const auto news = channel("news");
  std::vector<StreamReader> readers;
  for (int i = 0; i < 20; ++i) readers.push_back(open_stream(*shard_, {{news}, {}, {}, 0}));
  for (StreamReader& reader : readers) ASSERT_TRUE(read_events(reader, 1));
  publish(news, "last words");
  shard_->begin_drain(std::chrono::milliseconds(500));
  for (StreamReader& reader : readers) {
    ASSERT_TRUE(read_to_end(reader));
    EXPECT_THAT(data_of(reader), ElementsAre("last words"));
    EXPECT_EQ(reader.events().back().comment, "closing: drain");
    EXPECT_FALSE(reader.events().back().retry.empty());
    EXPECT_TRUE(reader.has_last_chunk());
  }
}

TEST_F(ShardTest, AStreamEndsAfterItsLongestTime) {
  ShardOptions options = shard_options();
  options.max_stream = std::chrono::milliseconds(300);
  start(options);
  auto reader = open_stream(*shard_, {{channel("news")}, {}, {}, 0});
  ASSERT_TRUE(read_to_end(reader));
  EXPECT_EQ(reader.events().back().comment, "closing: max-stream");
}

TEST_F(ShardTest, AStreamIsToldThatItExpiresAndEndsThen) {
  ShardOptions options = shard_options();
  options.expiry_notice = std::chrono::milliseconds(300);
  options.heartbeat = std::chrono::milliseconds(100);
  start(options);
  const auto expires_at = std::chrono::system_clock::now() + std::chrono::milliseconds(1'500);
  auto reader = open_stream(*shard_, {{channel("news")}, {}, {}, 0, expires_at});
  ASSERT_TRUE(read_to_end(reader));
  const auto seconds = std::chrono::system_clock::to_time_t(expires_at);
  EXPECT_THAT(data_of(reader), ElementsAre("{\"expires\":" + std::to_string(seconds) + "}"));
  EXPECT_EQ(reader.events()[1].type, "") << "told after some heartbeats, not at once";
  EXPECT_EQ(reader.events().back().comment, "closing: token-expired");
  EXPECT_TRUE(reader.has_last_chunk());
  reader.close();
  EXPECT_TRUE(eventually([&] { return closed(CloseReason::kTokenExpired) == 1; }));
}

TEST_F(ShardTest, WhatExpiresSoonIsToldAtOnceInEachFormAndWithoutAnId) {
  start();
  const auto soon = std::chrono::system_clock::now() + std::chrono::seconds(20);
  const auto a = channel("a");
  for (const Form form : {Form::kChannel, Form::kEvents, Form::kJson}) {
    auto reader = open_stream(*shard_, {{a, channel("b")}, {form, true}, {}, 0, soon});
    ASSERT_TRUE(read_events(reader, 2));
    EXPECT_EQ(reader.events()[1].type, "weir:token-expiring");
    EXPECT_EQ(reader.events()[1].id, "");
    publish(a, "still allowed in");
    ASSERT_TRUE(read_events(reader, 3));
    EXPECT_THAT(reader.events()[2].data, HasSubstr("still allowed in"));
  }
}

TEST_F(ShardTest, AnExpiryThatIsFarAwayIsNeither) {
  start();
  const auto news = channel("news");
  for (const auto expires_at : {std::chrono::system_clock::now() + std::chrono::minutes(1),
                                std::chrono::system_clock::time_point::max()}) {
    auto reader = open_stream(*shard_, {{news}, {}, {}, 0, expires_at});
    ASSERT_TRUE(read_events(reader, 1));
    publish(news, "first");
    ASSERT_TRUE(read_events(reader, 2));
    EXPECT_THAT(data_of(reader), ElementsAre("first"));
  }
}

TEST_F(ShardTest, WhoHasExpiredGetsNothingMoreOfTheLog) {
  start();
  const auto news = channel("news");
  const auto id = format_event_id(kEpoch, publisher_.publish(*news, "seen"));
  publish(news, "missed");
  for (const auto expires_at :
       {std::chrono::system_clock::now(), std::chrono::system_clock::time_point::min()}) {
    auto late = open_stream(*shard_, {{news}, {}, id, 0, expires_at});
    ASSERT_TRUE(read_to_end(late));
    EXPECT_THAT(data_of(late), ElementsAre(HasSubstr("expires")));
    EXPECT_TRUE(late.has_last_chunk());
    EXPECT_EQ(late.last_event_id(), id);
  }
  auto again = open_stream(*shard_, {{news}, {}, id, 0});
  ASSERT_TRUE(read_until(again, [&] { return data_of(again).size() == 2; }));
  EXPECT_THAT(data_of(again), ElementsAre("missed", HasSubstr("replayed")));
}

TEST_F(ShardTest, ASlowClientThatExpiresIsSentWhatIsUnderWayAndResumesBehindIt) {
  ShardOptions options = shard_options();
  options.expiry_grace = kDeadline;
  start(options);
  const auto news = channel("news");
  const auto expires_at = std::chrono::system_clock::now() + std::chrono::seconds(1);
  auto slow = open_stream(*shard_, {{news}, {}, {}, 0, expires_at});
  ASSERT_TRUE(read_events(slow, 2));
  constexpr std::size_t kMessages = 50;
  for (std::size_t i = 0; i < kMessages; ++i)
    publish(news, std::to_string(i) + ":" + std::string(20'000, 'x'));
  // The other one's end shows that the time has come; it reads all the time.
  auto other = open_stream(*shard_, {{news}, {}, {}, 0, expires_at});
  ASSERT_TRUE(read_to_end(other));
  ASSERT_TRUE(read_to_end(slow));
  EXPECT_EQ(slow.events().back().comment, "closing: token-expired");
  EXPECT_TRUE(slow.has_last_chunk());
  auto data = data_of(slow);
  EXPECT_LT(data.size() - 1, kMessages);
  auto again = open_stream(*shard_, {{news}, {}, slow.last_event_id(), 0});
  ASSERT_TRUE(read_until(again, [&] { return data_of(again).size() + data.size() == kMessages + 2; }));
  for (std::string& one : data_of(again)) data.push_back(std::move(one));
  std::erase_if(data, [](const std::string& one) { return one.starts_with("{"); });
  for (std::size_t i = 0; i < kMessages; ++i) EXPECT_THAT(data[i], StartsWith(std::to_string(i) + ":"));
}

TEST_F(ShardTest, AnExpiredClientThatTakesNothingIsCutAfterTheGrace) {
  ShardOptions options = shard_options();
  options.expiry_grace = std::chrono::milliseconds(100);
  start(options);
  const auto news = channel("news");
  for (int i = 0; i < 10; ++i) publish(news, std::string(20'000, 'x'));
  auto stuck =
      open_stream(*shard_, {{news}, {}, {}, 10, std::chrono::system_clock::now() + std::chrono::seconds(1)});
  ASSERT_TRUE(eventually([&] { return closed(CloseReason::kTokenExpired) == 1; }));
  ASSERT_TRUE(read_to_end(stuck));
  EXPECT_FALSE(stuck.has_last_chunk());
}

TEST_F(ShardTest, OfADrainAndAnExpiryTheEarlierEndsTheStream) {
  start();
  const auto news = channel("news");
  const auto now = std::chrono::system_clock::now();
  auto later = open_stream(*shard_, {{news}, {}, {}, 0, now + std::chrono::hours(1)});
  auto sooner = open_stream(*shard_, {{news}, {}, {}, 0, now + std::chrono::milliseconds(200)});
  ASSERT_TRUE(read_events(later, 1));
  ASSERT_TRUE(read_events(sooner, 1));
  shard_->begin_drain(std::chrono::hours(24));
  ASSERT_TRUE(read_to_end(sooner));
  EXPECT_EQ(sooner.events().back().comment, "closing: token-expired");
  shard_->begin_drain(std::chrono::milliseconds(100));
  ASSERT_TRUE(read_to_end(later));
  EXPECT_EQ(later.events().back().comment, "closing: drain");
}

// What an observer may ask of a client.
class Account final : public StreamObserver {
 public:
  void on_start(const Client& client) override { started.push_back(client.channel_name(0)); }
  void on_end(const Client& client, CloseReason reason) override {
    ended.push_back({client.channel_name(0), client.messages(), client.bytes(), client.gaps(), reason});
    is_done.set_value();
  }

  struct Ended {
    std::string channel;
    std::uint64_t messages;
    std::uint64_t bytes;
    std::uint64_t gaps;
    CloseReason reason;
  };
  std::vector<std::string> started;
  std::vector<Ended> ended;
  std::promise<void> is_done;
};

TEST_F(ShardTest, TellsOfEachStreamsStartAndAtItsEndWhatItGot) {
  Account account;
  ShardOptions options = shard_options();
  options.observer = &account;
  start(options);
  const auto news = channel("news");
  const auto id = format_event_id(kEpoch, publisher_.publish(*news, "seen"));
  publish(news, "missed");
  auto reader = open_stream(*shard_, {{news}, {}, id, 0});
  ASSERT_TRUE(read_until(reader, [&] { return data_of(reader).size() == 2; }));
  publish(news, "live");
  publisher_.publish_gap(*news, 3, GapReason::kTooLarge);
  publisher_.publish_end(*news);
  shard_->wake();
  ASSERT_TRUE(read_to_end(reader));
  reader.close();
  ASSERT_EQ(account.is_done.get_future().wait_for(kDeadline), std::future_status::ready);
  EXPECT_THAT(account.started, ElementsAre("news"));
  ASSERT_EQ(account.ended.size(), 1U);
  EXPECT_EQ(account.ended[0].channel, "news");
  EXPECT_EQ(account.ended[0].messages, 3U) << "one of the log, one live, and the end";
  EXPECT_EQ(account.ended[0].bytes, shard_->stats().bytes_out.value());
  EXPECT_EQ(account.ended[0].gaps, 1U);
  EXPECT_EQ(account.ended[0].reason, CloseReason::kEnd);
}

TEST_F(ShardTest, KnowsItsSlowestClientsAndForgetsThemWhenTheyHaveLeft) {
  start();
  const auto news = channel("news");
  const auto other = channel("other");
  auto reading = open_stream(*shard_, {{news}, {}, {}, 0});
  std::list<StreamReader> stuck;
  stuck.push_back(open_stream(*shard_, {{other, news}, {Form::kEvents, true}, {}, 0}));
  for (std::size_t i = 0; i < kSlowestMax + 5; ++i)
    stuck.push_back(open_stream(*shard_, {{other}, {}, {}, 0}));
  for (StreamReader& reader : stuck) ASSERT_TRUE(read_events(reader, 1));
  for (int i = 0; i < 50; ++i) publish(other, std::string(2'000, 'x'));
  for (int i = 0; i < 50; ++i) publish(news, std::string(10'000, 'x'));
  ASSERT_TRUE(read_events(reading, 51));
  std::vector<SlowClient> slowest;
  ASSERT_TRUE(eventually([&] {
    slowest = shard_->slowest();
    return slowest.size() == kSlowestMax && slowest[0].lag_messages == 50;
  }));
  EXPECT_EQ(slowest[0].channel, "news") << "it lags most behind that one";
  EXPECT_GT(slowest[0].lag_bytes, 500'000U);
  // All channels of all clients.
  EXPECT_GT(shard_->stats().waiting_messages.value(), 50 + kSlowestMax);
  EXPECT_GT(shard_->stats().waiting_bytes.value(), slowest[0].lag_bytes + kSlowestMax * 2'000);
  for (std::size_t i = 1; i < slowest.size(); ++i) {
    EXPECT_EQ(slowest[i].channel, "other");
    EXPECT_LT(slowest[i].lag_messages, 50U);
    EXPECT_GE(slowest[i - 1].lag_bytes, slowest[i].lag_bytes);
  }
  stuck.clear();
  EXPECT_TRUE(eventually([&] { return shard_->slowest().empty(); })) << "while others stay";
  EXPECT_EQ(shard_->stats().waiting_messages.value(), 0U);
  EXPECT_EQ(shard_->stats().waiting_bytes.value(), 0U);
  reading.close();
  EXPECT_TRUE(eventually([&] { return shard_->stats().clients.value() == 0; }));
  EXPECT_EQ(shard_->stats().slow_clients.value(), 0U);
}

TEST_F(ShardTest, ObservesEachStreamsStartOnce) {
  start();
  auto late = std::make_shared<Channel>("late", log_limits(), SlowClientPolicy::kSkip);
  auto waiting = open_stream(*shard_, {{late}, {}, {}, 0});
  auto reader = open_stream(*shard_, {{channel("news")}, {}, {}, 0});
  ASSERT_TRUE(read_events(reader, 1));
  EXPECT_EQ(observed(shard_->stats().start), 1U) << "the other has no head yet";
  publisher_.acknowledge(*late);
  shard_->wake();
  ASSERT_TRUE(read_events(waiting, 1));
  EXPECT_EQ(observed(shard_->stats().start), 2U);
  EXPECT_GT(shard_->stats().start.sum_seconds(), 0);
}

TEST_F(ShardTest, CountsMissedMessagesOfSharedGapsForEachClientAndNoneOfAnUnknownNumber) {
  start();
  const auto news = channel("news");
  auto first = open_stream(*shard_, {{news}, {}, {}, 0});
  auto second = open_stream(*shard_, {{news}, {}, {}, 0});
  ASSERT_TRUE(read_events(first, 1));
  ASSERT_TRUE(read_events(second, 1));
  publisher_.publish_gap(*news, 3, GapReason::kTooLarge);
  publisher_.publish_gap(*news, std::nullopt, GapReason::kBusDown);
  publish(news, "after");
  for (StreamReader* reader : {&first, &second})
    ASSERT_TRUE(read_until(*reader, [&] { return data_of(*reader).size() == 3; }));
  const auto gaps = [&](GapReason reason) {
    return shard_->stats().gaps[static_cast<std::size_t>(reason)].value();
  };
  ASSERT_TRUE(eventually([&] { return gaps(GapReason::kBusDown) == 2; }));
  EXPECT_EQ(missed(GapReason::kTooLarge), 6U);
  EXPECT_EQ(missed(GapReason::kBusDown), 0U);
}

TEST_F(ShardTest, FiftyThousandChannelsOfOneClientEachHoldLittle) {
  start();
  // Without sockets: what the data structures take. A channel without a follower or a message holds
  // no block of memory.
  EXPECT_LE(sizeof(Channel), 544U);
  std::vector<ChannelPtr> channels;
  for (int i = 0; i < 50'000; ++i) channels.push_back(channel("c" + std::to_string(i)));
  const auto last = channels.back();
  auto reader = open_stream(*shard_, {{last}, {}, {}, 0});
  ASSERT_TRUE(read_events(reader, 1));
  for (const auto& one : channels) publisher_.publish(*one, "x");
  shard_->wake();
  ASSERT_TRUE(read_events(reader, 2));
}

TEST_F(ShardTest, ThreadsDoNotDisturbTheOrder) {
  start();
  Shard second(shard_options(), publisher_.appended(), 2);
  second.start();
  const auto a = channel("a");
  const auto b = channel("b");
  std::vector<StreamReader> readers;
  for (int i = 0; i < 8; ++i) {
    Shard& shard = i % 2 == 0 ? *shard_ : second;
    readers.push_back(i < 4 ? open_stream(shard, {{a, b}, {Form::kEvents, true}, {}, 0})
                            : open_stream(shard, {{a}, {}, {}, 0}));
  }
  for (StreamReader& reader : readers) ASSERT_TRUE(read_events(reader, 1));
  constexpr std::size_t kMessages = 2'000;
  std::thread bus([&] {
    for (std::size_t i = 0; i < kMessages; ++i) {
      publisher_.publish(i % 2 == 0 ? *a : *b, std::to_string(i));
      if (i % 7 == 0) {
        shard_->wake();
        second.wake();
      }
    }
    shard_->wake();
    second.wake();
  });
  for (std::size_t i = 0; i < readers.size(); ++i) {
    const std::size_t expected = i < 4 ? kMessages : kMessages / 2;
    EXPECT_TRUE(read_until(readers[i], [&] { return data_of(readers[i]).size() >= expected; }));
    const auto data = data_of(readers[i]);
    for (std::size_t n = 0; n < data.size(); ++n) ASSERT_EQ(data[n], std::to_string(i < 4 ? n : 2 * n));
  }
  bus.join();
  second.stop();
}

// More clients than are served between two looks for news, some of which leave meanwhile and change the
// places of others.
TEST_F(ShardTest, WhatComesWhileABatchIsSentReachesEachClientOnceAndInOrder) {
  start();
  ChannelLog::Limits limits = log_limits();
  limits.history_messages = 10'000;
  const auto a = channel("a", limits);
  std::list<StreamReader> readers;
  for (int i = 0; i < 100; ++i) readers.push_back(open_stream(*shard_, {{a}, {}, {}, 0}));
  for (StreamReader& reader : readers) ASSERT_TRUE(read_events(reader, 1));
  constexpr std::size_t kMessages = 3'000;
  std::thread bus([&] {
    for (std::size_t i = 0; i < kMessages; ++i) publish(a, std::to_string(i));
  });
  for (int left = 0; left < 20; ++left) {
    EXPECT_TRUE(read_events(readers.front(), 100));
    readers.pop_front();
  }
  for (StreamReader& reader : readers) {
    EXPECT_TRUE(read_until(reader, [&] { return data_of(reader).size() >= kMessages; }));
    const auto data = data_of(reader);
    for (std::size_t n = 0; n < data.size(); ++n) ASSERT_EQ(data[n], std::to_string(n));
  }
  bus.join();
}

// Between two steps of the bus thread: the message is in its log, its sequence and its hint are not out yet.
class SeamTest : public ShardTest {
 protected:
  // The shard's thread is the test's.
  SeamTest() {
    ShardOptions options = shard_options();
    options.epoch = kEpoch;
    shard_ = std::make_unique<Shard>(std::move(options), publisher_.appended(), 1);
  }
  void turn() {
    shard_->wake();
    shard_->loop().poll();
  }
};

TEST_F(SeamTest, WhoComesWhileAMessageIsBeingAppendedGetsItWithoutWaitingForTheNext) {
  const auto a = channel("a");
  const auto b = channel("b");
  const Sequence sequence = publisher_.append_only(*a, "at the seam");
  auto reader = open_stream(*shard_, {{a, b}, {Form::kEvents}, {}, 0});
  turn();
  publisher_.announce(*a, sequence);
  turn();
  reader.read(1 << 20);
  EXPECT_THAT(data_of(reader), ElementsAre("at the seam"));
}

TEST_F(SeamTest, WhoComesWhileAMessageIsForgottenAtOnceIsToldOfNoGap) {
  ChannelLog::Limits limits = log_limits();
  limits.history_messages = 0;
  limits.queue_messages = 2;
  const auto news = channel("news", limits);
  for (int i = 0; i < 10; ++i) publish(news, "before the head");
  const Sequence sequence = publisher_.append_only(*news, "before the head");
  auto reader = open_stream(*shard_, {{news}, {}, {}, 0});
  turn();
  publisher_.announce(*news, sequence);
  publish(news, "after the head");
  turn();
  reader.read(1 << 20);
  EXPECT_THAT(data_of(reader), ElementsAre("after the head"));
}

TEST_F(SeamTest, ObservesOneDeliveryABatchWhateverTheNumberOfClients) {
  const auto news = channel("news");
  std::list<StreamReader> readers;
  for (int i = 0; i < 5; ++i) readers.push_back(open_stream(*shard_, {{news}, {}, {}, 0}));
  turn();
  const std::uint64_t before = observed(shard_->stats().delivery);
  for (int i = 0; i < 3; ++i) publish(news, "one batch");
  turn();
  EXPECT_EQ(shard_->stats().messages_out.value(), 15U);
  EXPECT_EQ(observed(shard_->stats().delivery), before + 1);
  EXPECT_EQ(observed(shard_->stats().lag), 0U);
}

TEST_F(SeamTest, ObservesTheDeliveryToClientsOfSeveralChannelsOnceATurn) {
  const auto a = channel("a");
  const auto b = channel("b");
  auto reader = open_stream(*shard_, {{a, b}, {Form::kEvents}, {}, 0});
  turn();
  const std::uint64_t before = observed(shard_->stats().delivery);
  publish(a, "1");
  publish(b, "2");
  turn();
  EXPECT_EQ(shard_->stats().messages_out.value(), 2U);
  EXPECT_EQ(observed(shard_->stats().delivery), before + 1);
}

TEST_F(SeamTest, ObservesTheLagOfASlowClientWhenItsSocketTakesMore) {
  const auto news = channel("news");
  auto reader = open_stream(*shard_, {{news}, {}, {}, 0});
  turn();
  while (shard_->stats().slow_clients.value() == 0) {
    publish(news, std::string(60'000, 'x'));
    turn();
  }
  publish(news, "waits");
  turn();
  EXPECT_EQ(observed(shard_->stats().lag), 0U);
  while (reader.read(1 << 20) > 0) turn();
  EXPECT_EQ(data_of(reader).back(), "waits");
  EXPECT_GE(observed(shard_->stats().lag), 1U);
}

TEST_F(SeamTest, AReplayIsNoLag) {
  const auto news = channel("news");
  for (int i = 0; i < 10; ++i) publish(news, std::string(60'000, 'x'));
  auto reader = open_stream(*shard_, {{news}, {}, {}, 10});
  turn();
  ASSERT_EQ(shard_->stats().slow_clients.value(), 1U);
  while (reader.read(1 << 20) > 0) turn();
  EXPECT_EQ(data_of(reader).size(), 11U);
  EXPECT_EQ(observed(shard_->stats().lag), 0U);
}

TEST_F(SeamTest, AClientIsNotCutForTheLagOfAChannelThatHasEndedForIt) {
  ChannelLog::Limits limits = log_limits();
  limits.queue_messages = 2;
  const auto a = channel("a", limits, SlowClientPolicy::kDisconnect);
  const auto b = channel("b");
  auto reader = open_stream(*shard_, {{a, b}, {Form::kEvents}, {}, 0});
  turn();
  publisher_.publish_end(*a);
  turn();
  while (shard_->stats().slow_clients.value() == 0) {
    publish(b, std::string(60'000, 'x'));
    turn();
  }
  for (int i = 0; i < 10; ++i) publish(a, "the next life of a");
  turn();
  EXPECT_EQ(shard_->stats().clients.value(), 1U);
}

TEST_F(SeamTest, WhatAClientThatLaggedALittleTakesIsCountedAsItsMessagesAndGaps) {
  const auto news = channel("news");
  auto reader = open_stream(*shard_, {{news}, {}, {}, 0});
  turn();
  std::uint64_t published = 0;
  while (shard_->stats().slow_clients.value() == 0) {
    publish(news, std::string(30'000, 'x'));
    ++published;
    turn();
  }
  for (int round = 0; round < 3; ++round) {  // In turns of their own: all are at hand when it reads on.
    publish(news, "small");
    ++published;
    publisher_.publish_gap(*news, std::nullopt, GapReason::kTooLarge);
    turn();
  }
  const auto gaps_sent = [&] {
    return shard_->stats().gaps[static_cast<std::size_t>(GapReason::kTooLarge)].value();
  };
  EXPECT_EQ(gaps_sent(), 0U);
  while (reader.read(1 << 20) > 0) turn();
  EXPECT_EQ(data_of(reader).size(), published + 3);
  EXPECT_EQ(shard_->stats().messages_out.value(), published);
  EXPECT_EQ(gaps_sent(), 3U);
}

TEST_F(SeamTest, AStuckClientOfPolicyLatestHoldsNoMoreThanABatch) {
  ChannelLog::Limits limits = log_limits();
  limits.history_messages = 0;
  limits.queue_messages = 10;
  limits.keeps_latest = true;
  const auto prices = channel("prices", limits, SlowClientPolicy::kLatest);
  auto reader = open_stream(*shard_, {{prices}, {}, {}, 0});
  turn();
  const auto publish_all_types = [&](int round) {
    for (int type = 0; type < 60; ++type) {
      const std::string data = std::to_string(round) + std::string(20'000, 'x');
      publisher_.publish(*prices, data, "t" + std::to_string(type));
    }
    turn();
  };
  for (int round = 0; round < 30; ++round) publish_all_types(round);
  ASSERT_EQ(shard_->stats().slow_clients.value(), 1U);
  // It reads on until it is given the newest of each type, and is stuck again.
  const auto has_newest = [&] {
    return !data_of(reader).empty() && data_of(reader).back().starts_with("29x");
  };
  while (!has_newest()) {
    reader.read(5'000);
    turn();
  }
  ASSERT_EQ(shard_->stats().slow_clients.value(), 1U);
  const std::size_t before = publisher_.frame_bytes().total();
  // All of these are forgotten in turn; what stays alive beyond the log's is what the client holds.
  publish_all_types(100);
  EXPECT_LE(publisher_.frame_bytes().total(), before + 2 * kBatchBytes);
  while (reader.read(1 << 20) > 0) turn();
  std::size_t newest = 0;
  for (const std::string& data : data_of(reader)) newest += data.starts_with("100") ? 1 : 0;
  EXPECT_EQ(newest, 60U);
}

}  // namespace
}  // namespace weir
