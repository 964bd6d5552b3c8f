// The reader and the history: no socket, no shard, no Redis. Pages come when a test says so.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "broker/fanout/batch.h"
#include "broker/fanout/history.h"
#include "broker/fanout/reader.h"
#include "broker/fanout/stream_request.h"
#include "tests/unit/fanout/fanout_fixture.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// A birth begins with 13 digits of time.
constexpr std::uint64_t kBirth = 1'760'000'000'000'111'111;
constexpr std::uint64_t kBirthStep = 5'000'003;

// Streams in memory, and their pages, which are small.
class FakeHistory : public History {
 public:
  static constexpr std::size_t kMessages = 4;

  PagePtr find(const ChannelStream& stream, const StreamId& from) override {
    auto& pages = kept[stream.channel];
    auto found = pages.upper_bound({from.ms, from.n + 1});
    if (found == pages.begin()) return nullptr;
    const PagePtr& page = std::prev(found)->second;
    return page->reaches_past(from) ? page : nullptr;
  }
  void read(const ChannelStreamPtr& stream, const StreamId& from, bool, std::function<void(PagePtr)> done,
            IsWanted) override {
    ++reads;
    asked.push_back([this, stream, from, done] { done(page_of(*stream, from)); });
  }
  void locate(const ChannelStreamPtr& stream, const Wish& wish, std::function<void(Located)> done,
              IsWanted) override {
    asked.push_back([this, stream, wish, done] { done(place_of(*stream, wish)); });
  }
  // Answers the oldest question, or all. False if there is none.
  bool answer() {
    if (asked.empty()) return false;
    const auto next = std::move(asked.front());
    asked.pop_front();
    next();
    return true;
  }

  std::map<std::string, std::vector<PageEntry>> streams;
  std::map<std::string, StreamId> ends;
  std::map<std::string, std::map<StreamId, PagePtr>> kept;
  std::deque<std::function<void()>> asked;
  std::size_t reads = 0;

 private:
  PagePtr page_of(const ChannelStream& stream, const StreamId& from) {
    auto page = std::make_shared<Page>();
    page->first = page_first(from, stream.kind, kMessages);
    for (const PageEntry& entry : streams[stream.channel]) {
      const StreamId& id = entry.frame->stream_id();
      if (id < page->first) page->before = id;
      if (id >= page->first && page->entries.size() < kMessages) page->entries.push_back(entry);
    }
    page->is_last = page->entries.size() < kMessages;
    if (page->is_last && !page->reaches_past(from)) page->end = ends[stream.channel];
    if (!page->entries.empty()) kept[stream.channel][page->first] = page;
    return page;
  }
  Located place_of(const ChannelStream& stream, const Wish& wish) {
    const auto& entries = streams[stream.channel];
    Located place;
    place.position = wish.from;
    if (wish.kind == Wish::Kind::kBirth) {
      for (const PageEntry& entry : entries) {
        const StreamId& id = entry.frame->stream_id();
        if (time_of_birth(id.ms) == time_of_birth(wish.from.ms)) place.position.ms = id.ms;
      }
    } else if (wish.kind == Wish::Kind::kLastEnd) {
      for (const PageEntry& entry : entries) {
        if (entry.frame->kind() == FrameKind::kEnd)
          place.position = std::max(place.position, entry.frame->stream_id());
      }
    } else {
      const auto back = std::min<std::uint64_t>(wish.number, entries.size());
      place.position =
          back == entries.size() ? kStreamBegin : entries[entries.size() - back - 1].frame->stream_id();
    }
    return place;
  }
};

class HistoryTest : public ::testing::Test {
 protected:
  HistoryTest() { context_.history = &history_; }

  static ChannelLog::Limits few(std::size_t messages) {
    auto limits = log_limits();
    limits.history_messages = messages;
    return limits;
  }
  // Its log begins behind `id`.
  ChannelPtr durable(const std::string& name, const ChannelLog::Limits& limits, const StreamId& id = {}) {
    auto channel = std::make_shared<Channel>(
        name, limits, SlowClientPolicy::kReadHistory,
        std::make_shared<ChannelStream>(name, StreamKind::kDurable, EnvelopeMode::kAuto));
    channel->log.begin(++appended_, id);
    return channel;
  }
  ChannelPtr followed(const std::string& name, const ChannelLog::Limits& limits) {
    auto channel = std::make_shared<Channel>(
        name, limits, SlowClientPolicy::kReadHistory,
        std::make_shared<ChannelStream>(name, StreamKind::kFollowed, EnvelopeMode::kAuto));
    channel->log.begin(++appended_, kStreamBegin);
    return channel;
  }
  ChannelPtr live(const std::string& name) {
    auto channel = std::make_shared<Channel>(name, few(100'000), SlowClientPolicy::kSkip);
    channel->log.begin(++appended_);
    return channel;
  }
  FramePtr frame_of(const Channel& channel, const StreamId& id, bool is_end = false) {
    Message message;
    message.data = channel.name + " " + std::to_string(id.n);
    message.is_end = is_end;
    if (is_end) message.type = "weir:end";
    return Frame::of_entry(message, channel.name, id, counter_);
  }
  // Into the stream alone: nobody has announced it.
  FramePtr store(const Channel& channel, const StreamId& id, bool is_end = false) {
    FramePtr frame = frame_of(channel, id, is_end);
    history_.streams[channel.name].push_back({frame, 0});
    history_.ends[channel.name] = id;
    return frame;
  }
  void log(Channel& channel, FramePtr frame) {
    channel.log.append(std::move(frame), ++appended_, std::chrono::steady_clock::now());
  }
  void publish_live(Channel& channel, const std::string& data) {
    Message message;
    message.data = data;
    const std::string id = format_event_id(kEpoch, appended_ + 1);
    log(channel, Frame::of_message(message, channel.name, id, counter_));
  }
  void publish(Channel& channel, std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t n = first; n <= last; ++n) log(channel, store(channel, {kBirth, n}));
  }
  void trim(const std::string& channel, std::size_t count) {
    auto& stream = history_.streams[channel];
    if (stream.size() > count)
      stream.erase(stream.begin(), stream.end() - static_cast<std::ptrdiff_t>(count));
  }

  // A client of some channels.
  struct Visitor {
    Reader reader;
    std::vector<std::shared_ptr<Feed>> feeds;
    std::string id;  // As the browser remembers it.
    std::vector<std::string> texts;
    bool is_refused = false;
    bool has_ended = false;
  };
  std::unique_ptr<Visitor> visit(const std::vector<ChannelPtr>& channels, std::optional<std::string> last_id,
                                 std::size_t replay = 0, std::vector<Beginning> beginnings = {}) {
    auto visitor = std::make_unique<Visitor>();
    for (const ChannelPtr& channel : channels) {
      visitor->feeds.push_back(std::make_shared<Feed>(inbox_, channel));
      visitor->feeds.back()->position = channel->log.end();
      visitor->reader.follow(visitor->feeds.back(), 0);
    }
    StreamRequest request;
    request.encoding = {channels.size() > 1 ? Form::kEvents : Form::kChannel, false};
    request.last_event_id = std::move(last_id);
    request.beginnings = std::move(beginnings);
    if (replay > 0) request.beginnings.assign(channels.size(), {.replay = replay});
    context_.horizon = appended_;
    const Reader::Start start = visitor->reader.start(context_, request, appended_);
    take(*visitor, start.gaps);
    visitor->id = start.id;
    return visitor;
  }
  void look(Visitor& visitor) {
    context_.horizon = appended_;
    for (const auto& feed : visitor.feeds) feed->position = feed->channel->log.end();
    visitor.reader.set_all_dirty();
  }
  // Blocks as the browser takes them.
  static void take(Visitor& visitor, std::string_view blocks) {
    while (!blocks.empty()) {
      const auto end = blocks.find("\n\n") + 2;
      const DecodedEvent event = decode_block(blocks.substr(0, end));
      blocks.remove_prefix(end);
      if (!event.id.empty()) visitor.id = event.id;
      if (event.type == "weir:end") {
        visitor.texts.push_back("end");
      } else if (event.type == "weir:gap") {
        visitor.texts.push_back("gap " + event.data);
      } else if (!event.data.empty()) {
        visitor.texts.push_back(event.data);
      }
    }
  }
  // One read. `is_cut` says after each frame whether the connection breaks there; true if it did.
  Reader::Next read(Visitor& visitor, const std::function<bool()>& is_cut, bool& was_cut) {
    std::vector<Outgoing> out;
    const Reader::Next next = visitor.reader.read(context_, out);
    ask(visitor);
    for (const Outgoing& item : out) {
      const std::string& name = visitor.reader.channel_name(item.subscription);
      take(visitor, bytes_of(*item.entry.frame,
                             {visitor.feeds.size() > 1 ? Form::kEvents : Form::kChannel, false}, name));
      visitor.has_ended = visitor.reader.on_sent(item.entry, item.subscription);
      was_cut = is_cut();
      if (was_cut) return next;
    }
    if (next == Reader::Next::kNothing && visitor.reader.is_replaying() && !visitor.has_ended) {
      const std::string id = visitor.reader.end_replay(context_).id;
      if (!id.empty()) visitor.id = id;
      return Reader::Next::kJumped;
    }
    return next;
  }
  void ask(Visitor& visitor) {
    for (const Ask& ask : std::exchange(context_.asks, {})) {
      const ChannelStreamPtr& stream = visitor.reader.subscriptions()[ask.subscription].feed->channel->stream;
      const auto round = round_;
      const auto subscription = ask.subscription;
      if (ask.wish) {
        history_.locate(
            stream, *ask.wish,
            [this, &visitor, round, subscription](const Located& place) {
              if (round == round_)
                visitor.is_refused |= !visitor.reader.on_located(context_, subscription, place);
            },
            nullptr);
      } else {
        history_.read(
            stream, ask.from, ask.is_fresh,
            [this, &visitor, round, subscription](PagePtr page) {
              if (round == round_)
                visitor.is_refused |= !visitor.reader.on_page(subscription, std::move(page));
            },
            nullptr);
      }
    }
  }
  // Reads on, with answers at once, until nothing is left.
  std::vector<std::string> read_all(Visitor& visitor) {
    visitor.texts.clear();
    look(visitor);
    bool was_cut = false;
    for (int i = 0; i < 1'000; ++i) {
      const auto next = read(
          visitor, [] { return false; }, was_cut);
      if (next == Reader::Next::kEntries || next == Reader::Next::kJumped) continue;
      if (!history_.answer()) return visitor.texts;
    }
    ADD_FAILURE() << "it reads for ever";
    return visitor.texts;
  }
  std::string id_of(std::uint64_t n) const { return format_stream_id({kBirth, n}); }

  std::atomic<Sequence> appended_{0};
  HintInbox inbox_{appended_};
  std::shared_ptr<FrameBytes> counter_ = std::make_shared<FrameBytes>();
  std::array<Tally, kGapReasons> gaps_;
  std::array<Tally, kGapReasons> missed_;
  ReadContext context_{kEpoch, counter_, &gaps_, &missed_, 0, {}};
  FakeHistory history_;
  std::uint64_t round_ = 0;  // Answers of an earlier round are for a client that has gone.
};

TEST_F(HistoryTest, WhoComesBackWithinTheLogAsksNothing) {
  const auto a = durable("a", few(100));
  publish(*a, 1, 6);
  const auto visitor = visit({a}, id_of(3));
  EXPECT_THAT(read_all(*visitor), ElementsAre("a 4", "a 5", "a 6"));
  EXPECT_EQ(history_.reads, 0U);
  EXPECT_EQ(visitor->id, id_of(6));
}

TEST_F(HistoryTest, WhoComesFromBeforeTheLogReadsPagesAndJoinsItWithoutASeam) {
  const auto a = durable("a", few(3));
  publish(*a, 1, 12);
  for (std::uint64_t n = 0; n <= 12; ++n) {
    const auto visitor = visit({a}, id_of(n));
    std::vector<std::string> expected;
    for (std::uint64_t next = n + 1; next <= 12; ++next) expected.push_back("a " + std::to_string(next));
    EXPECT_EQ(read_all(*visitor), expected) << n;
    EXPECT_EQ(visitor->id, id_of(12));
  }
}

TEST_F(HistoryTest, WaitsForAPageWithoutAskingAgain) {
  const auto a = durable("a", few(1));
  publish(*a, 1, 9);
  const auto visitor = visit({a}, id_of(0));
  bool was_cut = false;
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(read(
                  *visitor, [] { return false; }, was_cut),
              Reader::Next::kWaits);
  EXPECT_EQ(history_.reads, 1U);
  EXPECT_EQ(history_.asked.size(), 1U);
  EXPECT_EQ(read_all(*visitor).size(), 9U);
}

TEST_F(HistoryTest, FindsPagesThatOthersHaveRead) {
  const auto a = durable("a", few(1));
  publish(*a, 1, 40);
  const auto first = visit({a}, id_of(0));
  EXPECT_EQ(read_all(*first).size(), 40U);
  const std::size_t reads = history_.reads;
  const auto second = visit({a}, id_of(0));
  EXPECT_EQ(read_all(*second).size(), 40U);
  EXPECT_EQ(history_.reads, reads) << "the last page is behind where the log begins";
}

TEST_F(HistoryTest, TellsWhatWasTrimmedOnce) {
  const auto a = durable("a", few(1));
  publish(*a, 1, 12);
  trim("a", 4);
  const auto visitor = visit({a}, id_of(2));
  EXPECT_THAT(read_all(*visitor), ElementsAre(R"(gap {"channel":"a","missed":6,"reason":"history"})", "a 9",
                                              "a 10", "a 11", "a 12"));
  EXPECT_THAT(read_all(*visitor), IsEmpty());
  EXPECT_EQ(missed_[static_cast<std::size_t>(GapReason::kHistory)].value(), 6U);
}

TEST_F(HistoryTest, WhoIsCutBehindAGapIsNotToldAgain) {
  const auto a = durable("a", few(1));
  publish(*a, 1, 12);
  trim("a", 4);
  const auto visitor = visit({a}, id_of(2));
  bool was_cut = false;
  while (!was_cut) {
    if (read(
            *visitor, [] { return true; }, was_cut) == Reader::Next::kWaits)
      history_.answer();
  }
  EXPECT_THAT(visitor->texts, ElementsAre(R"(gap {"channel":"a","missed":6,"reason":"history"})"));
  const auto again = visit({a}, visitor->id);
  EXPECT_THAT(read_all(*again), ElementsAre("a 9", "a 10", "a 11", "a 12"));
}

TEST_F(HistoryTest, WhoHasMoreThanTheLogWaitsForIt) {
  const auto a = durable("a", few(10));
  publish(*a, 1, 3);
  const auto later = store(*a, {kBirth, 4});
  const auto visitor = visit({a}, id_of(4));
  EXPECT_THAT(read_all(*visitor), IsEmpty());
  log(*a, later);
  log(*a, store(*a, {kBirth, 5}));
  EXPECT_THAT(read_all(*visitor), ElementsAre("a 5"));
}

TEST_F(HistoryTest, GoesFromPagesIntoALogThatIsBehindThem) {
  const auto a = durable("a", few(1));
  publish(*a, 1, 3);
  const auto four = store(*a, {kBirth, 4});
  const auto five = store(*a, {kBirth, 5});
  const auto visitor = visit({a}, id_of(0));
  EXPECT_EQ(read_all(*visitor).size(), 5U);
  log(*a, four);
  EXPECT_THAT(read_all(*visitor), IsEmpty());
  log(*a, five);
  publish(*a, 6, 6);
  EXPECT_THAT(read_all(*visitor), ElementsAre("a 6"));
}

TEST_F(HistoryTest, WhoWasTooSlowReadsPagesAndMissesNothing) {
  const auto a = durable("a", few(2));
  const auto visitor = visit({a}, std::nullopt);
  publish(*a, 1, 30);
  EXPECT_EQ(read_all(*visitor).size(), 30U);
  EXPECT_EQ(visitor->texts.back(), "a 30");
  EXPECT_EQ(visitor->reader.gaps(), 0U);
}

TEST_F(HistoryTest, EndsTheStreamIfRedisRefuses) {
  const auto a = durable("a", few(1));
  publish(*a, 1, 9);
  const auto visitor = visit({a}, id_of(0));
  bool was_cut = false;
  EXPECT_EQ(read(
                *visitor, [] { return false; }, was_cut),
            Reader::Next::kWaits);
  EXPECT_FALSE(visitor->reader.on_page(0, nullptr));
}

TEST_F(HistoryTest, ReplaysTheNewestFromTheHistory) {
  const auto a = durable("a", few(1));
  publish(*a, 1, 9);
  const auto visitor = visit({a}, std::nullopt, 4);
  EXPECT_THAT(read_all(*visitor), ElementsAre("a 6", "a 7", "a 8", "a 9"));
}

TEST_F(HistoryTest, AReplayGoesToTheLastEnd) {
  const auto a = durable("a", few(1));
  publish(*a, 1, 3);
  log(*a, store(*a, {kBirth, 4}, true));
  publish(*a, 5, 6);
  log(*a, store(*a, {kBirth, 7}, true));
  publish(*a, 8, 9);
  const auto visitor = visit({a}, id_of(1));
  EXPECT_THAT(read_all(*visitor), ElementsAre("a 2", "a 3", "a 5", "a 6", "end"));
  EXPECT_TRUE(is_end_id(visitor->id));
}

TEST_F(HistoryTest, GoesOnInTheNextBirth) {
  const auto a = durable("a", few(1));
  publish(*a, 1, 3);
  for (std::uint64_t n = 4; n <= 7; ++n) log(*a, store(*a, {kBirth + kBirthStep, n}));
  const auto visitor = visit({a}, id_of(2));
  EXPECT_THAT(read_all(*visitor), ElementsAre("a 3", "a 4", "a 5", "a 6", "a 7"));
}

TEST_F(HistoryTest, WithAnIdOfSeveralChannelsEachGoesOnByItself) {
  const auto a = durable("a", few(1));
  const auto b = durable("b", few(1));
  publish(*a, 1, 3);
  publish(*b, 1, 3);
  const auto first = visit({a, b}, std::nullopt);
  publish(*a, 4, 5);
  EXPECT_THAT(read_all(*first), ElementsAre("a 4", "a 5"));
  publish(*b, 4, 9);
  const auto again = visit({b, a}, first->id);
  EXPECT_THAT(read_all(*again), ElementsAre("b 4", "b 5", "b 6", "b 7", "b 8", "b 9"));
}

TEST_F(HistoryTest, AChannelThatWasAddedHasNoKnownPosition) {
  const auto a = durable("a", few(1));
  const auto b = durable("b", few(1));
  const auto c = durable("c", few(1));
  publish(*a, 1, 3);
  const auto first = visit({a, b}, std::nullopt);
  const auto again = visit({a, b, c}, first->id);
  EXPECT_THAT(read_all(*again), IsEmpty());
  EXPECT_EQ(again->reader.gaps(), 1U);
}

TEST_F(HistoryTest, AChannelThatIsNewBeginsLiveBesideOthersThatGoOn) {
  const auto a = durable("a", few(1));
  const auto b = durable("b", few(1));
  const auto c = followed("c", few(1));
  const auto l = live("l");
  for (const ChannelPtr& channel : {a, b, c}) publish(*channel, 1, 3);
  const auto first = visit({a, l}, std::nullopt);
  publish(*a, 4, 5);
  publish(*b, 4, 5);
  publish(*c, 4, 5);
  const auto m = live("m");
  const std::vector<Beginning> beginnings = {{}, {.is_new = true}, {.is_new = true}, {}, {.is_new = true}};
  const auto again = visit({a, b, c, l, m}, first->id, 0, beginnings);
  EXPECT_THAT(again->texts, IsEmpty());
  EXPECT_THAT(read_all(*again), ElementsAre("a 4", "a 5"));
  publish(*b, 6, 6);
  publish(*c, 6, 6);
  EXPECT_THAT(read_all(*again), ElementsAre("b 6", "c 6"));
  EXPECT_EQ(again->reader.gaps(), 0U);
  // Its id says all of them now.
  publish(*c, 7, 7);
  const auto later = visit({m, l, c, b, a}, again->id);
  EXPECT_THAT(read_all(*later), ElementsAre("c 7"));
  EXPECT_EQ(later->reader.gaps(), 0U);
}

TEST_F(HistoryTest, TheFirstIdHasThePlaceWhereANewChannelBegan) {
  const auto a = durable("a", few(1));
  const auto b = durable("b", few(1));
  publish(*a, 1, 3);
  publish(*b, 1, 3);
  const auto l = live("l");
  const auto first = visit({a, l, b}, visit({a, l}, std::nullopt)->id, 0, {{}, {}, {.is_new = true}});
  publish(*b, 4, 6);
  const auto again = visit({a, l, b}, first->id);  // It was cut before its first message.
  EXPECT_THAT(read_all(*again), ElementsAre("b 4", "b 5", "b 6"));
  EXPECT_EQ(first->reader.gaps() + again->reader.gaps(), 0U);
}

TEST_F(HistoryTest, ANewChannelMayBeReplayedBesideOneThatGoesOnById) {
  const auto a = durable("a", few(1));
  const auto b = durable("b", few(2));
  const auto c = followed("c", few(1));
  const auto l = live("l");
  publish(*a, 1, 3);
  const std::string id = visit({a, l}, std::nullopt)->id;
  publish(*a, 4, 5);
  publish(*b, 1, 9);
  publish(*c, 1, 9);
  const std::vector<Beginning> beginnings = {
      {}, {.replay = 4, .is_new = true}, {.replay = 2, .is_new = true}, {}};
  const auto visitor = visit({a, b, c, l}, id, 0, beginnings);
  EXPECT_THAT(read_all(*visitor),
              UnorderedElementsAre("a 4", "a 5", "b 6", "b 7", "b 8", "b 9", "c 8", "c 9"));
  EXPECT_FALSE(visitor->reader.is_replaying());
  EXPECT_EQ(visitor->reader.gaps(), 0U);
  publish(*c, 10, 10);
  EXPECT_THAT(read_all(*visit({a, b, c, l}, visitor->id)), ElementsAre("c 10"));
}

TEST_F(HistoryTest, ALiveChannelThatIsReplayedMovesNoPositionBackBesideOneThatGoesOn) {
  const auto a = durable("a", few(1));
  const auto old = live("old");
  const auto fresh = live("fresh");
  publish(*a, 1, 1);
  publish_live(*fresh, "fresh 1");
  publish_live(*old, "old 1");
  const std::string id = visit({a, old}, std::nullopt)->id;
  publish_live(*old, "old 2");
  const auto visitor = visit({a, old, fresh}, id, 0, {{}, {}, {.replay = kReplayAll, .is_new = true}});
  look(*visitor);
  // Cut behind the first message, which is older than the id.
  bool was_cut = false;
  while (!was_cut) {
    ASSERT_NE(read(
                  *visitor, [] { return true; }, was_cut),
              Reader::Next::kNothing);
    history_.answer();
  }
  EXPECT_THAT(visitor->texts, ElementsAre("fresh 1"));
  EXPECT_THAT(read_all(*visit({a, old, fresh}, visitor->id)), ElementsAre("old 2"));
}

// Of one channel the id is the channel's own, which says nothing of it any more.
TEST_F(HistoryTest, ALoneChannelThatIsNewBeginsLiveAndOneThatIsNotGoesOn) {
  const auto a = durable("a", few(1));
  publish(*a, 1, 3);
  const auto fresh = visit({a}, id_of(1), 0, {{.is_new = true}});
  EXPECT_EQ(fresh->id, id_of(3));
  EXPECT_THAT(read_all(*fresh), IsEmpty());
  EXPECT_THAT(read_all(*visit({a}, id_of(1))), ElementsAre("a 2", "a 3"));
  EXPECT_THAT(read_all(*visit({a}, "gother000.1")), IsEmpty());
  EXPECT_THAT(read_all(*visit({a}, "gother000.1", 0, {{.replay = 1, .is_new = true}})), ElementsAre("a 3"));
}

TEST_F(HistoryTest, ANewChannelWhoseLogHasNotBegunBeginsWhereTheLogDoes) {
  const auto a = durable("a", few(5));
  auto b = std::make_shared<Channel>(
      "b", few(5), SlowClientPolicy::kReadHistory,
      std::make_shared<ChannelStream>("b", StreamKind::kDurable, EnvelopeMode::kAuto));
  publish(*a, 1, 1);
  const auto l = live("l");
  const auto visitor = visit({a, l, b}, visit({a, l}, std::nullopt)->id, 0, {{}, {}, {.is_new = true}});
  EXPECT_THAT(read_all(*visitor), IsEmpty());
  for (std::uint64_t n = 1; n <= 3; ++n) store(*b, {kBirth, n});
  b->log.begin(++appended_, {kBirth, 3});
  EXPECT_TRUE(visitor->reader.has_newcomers());
  EXPECT_NE(visitor->reader.place_newcomers(context_), "");
  publish(*b, 4, 4);
  EXPECT_THAT(read_all(*visitor), ElementsAre("b 4"));
  EXPECT_EQ(visitor->reader.gaps(), 0U);
}

// Two durable channels and a live one, whose client is cut between any two frames and comes back with the id it has.
// Streams are trimmed, Redis starts anew, logs are behind their streams and keep little: every message must come once,
// in order, or be counted in a gap.
class HistoryGame : public HistoryTest, public ::testing::WithParamInterface<std::uint32_t> {
 protected:
  struct Account {
    std::uint64_t next = 1;  // The number that comes next.
    bool is_open = false;    // A gap of unknown size was told: any later number may.
    std::uint64_t published = 0;
    std::uint64_t trimmed = 0;  // Up to here.
    std::deque<FramePtr> unlogged;
  };

  bool is_one_of(std::uint32_t count) { return random_() % count == 0; }

  void check(const std::string& text) {
    if (text.starts_with("gap ")) {
      const std::string name = text.substr(text.find("\"channel\":\"") + 11, 1);
      Account& account = accounts_[name];
      const std::string missed = text.substr(text.find("\"missed\":") + 9);
      // Whose birth is gone is told so, though the next message is there.
      const bool is_reset = text.find("\"reset\"") != std::string::npos;
      ASSERT_GE(account.trimmed + (is_reset ? 1 : 0), account.next) << text << ": nothing was trimmed";
      if (missed.starts_with("null")) {
        account.is_open = true;
      } else {
        account.next += std::stoull(missed);
      }
      return;
    }
    Account& account = accounts_[text.substr(0, 1)];
    const std::uint64_t n = std::stoull(text.substr(2));
    if (account.is_open) {
      ASSERT_GE(n, account.next);
      account.next = n;
      account.is_open = false;
    }
    ASSERT_EQ(n, account.next) << text;
    ++account.next;
  }
  void publish_one(const ChannelPtr& channel) {
    Account& account = accounts_[channel->name];
    ++account.published;
    if (channel->stream == nullptr) {
      Message message;
      message.data = channel->name + " " + std::to_string(account.published);
      const Sequence sequence = appended_ + 1;
      channel->log.append(
          Frame::of_message(message, channel->name, format_event_id(kEpoch, sequence), counter_), sequence,
          std::chrono::steady_clock::now());
      appended_ = sequence;
      return;
    }
    account.unlogged.push_back(store(*channel, {birth_, account.published}));
  }
  void log_some(const ChannelPtr& channel, bool all) {
    Account& account = accounts_[channel->name];
    while (!account.unlogged.empty() && (all || !is_one_of(3))) {
      log(*channel, account.unlogged.front());
      account.unlogged.pop_front();
    }
  }

  std::mt19937 random_{GetParam()};
  std::map<std::string, Account> accounts_;
  std::uint64_t birth_ = kBirth;
};

TEST_P(HistoryGame, IsWonByWhoeverIsCutAnywhere) {
  std::vector<ChannelPtr> channels{durable("a", few(3)), durable("b", few(5))};
  if (is_one_of(2)) channels.push_back(live("l"));
  if (is_one_of(4)) channels.resize(1);
  auto visitor = visit(channels, std::nullopt);
  std::size_t cuts = 0;
  for (int turn = 0; turn < 2'000; ++turn) {
    const bool is_over = turn >= 1'500;  // Nothing more happens: all that is left must come.
    if (!is_over) {
      for (const ChannelPtr& channel : channels) {
        for (auto count = random_() % 4; count > 0; --count) publish_one(channel);
        if (is_one_of(40) && channel->stream) {
          // What is in a log or in a page at hand is in the stream, too: a birth that is gone is gone everywhere.
          log_some(channel, true);
          history_.kept[channel->name].clear();
          trim(channel->name, 6 + random_() % 8);
          Account& account = accounts_[channel->name];
          const auto& stream = history_.streams[channel->name];
          if (!stream.empty()) account.trimmed = stream.front().frame->stream_id().n - 1;
        }
        if (is_one_of(2)) history_.kept[channel->name].clear();
      }
      if (is_one_of(60)) birth_ += kBirthStep;
    }
    for (const ChannelPtr& channel : channels) log_some(channel, is_over);
    if (is_over || is_one_of(2)) look(*visitor);
    if (is_over || is_one_of(2)) history_.answer();
    visitor->texts.clear();
    bool was_cut = false;
    read(
        *visitor, [&] { return !is_over && is_one_of(12); }, was_cut);
    for (const std::string& text : visitor->texts) {
      check(text);
      if (HasFatalFailure()) return;
    }
    ASSERT_FALSE(visitor->is_refused);
    if (!was_cut && (is_over || !is_one_of(30))) continue;
    ++cuts;
    ++round_;
    history_.asked.clear();
    const std::string id = visitor->id;
    if (is_one_of(2)) std::reverse(channels.begin(), channels.end());
    visitor = visit(channels, id);
    ASSERT_THAT(visitor->texts, IsEmpty()) << "the position of each is known: " << id;
  }
  for (const ChannelPtr& channel : channels) {
    const Account& account = accounts_[channel->name];
    EXPECT_EQ(account.next, account.published + 1) << channel->name;
  }
  EXPECT_GT(cuts, 50U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, HistoryGame, ::testing::Range(0U, 30U));

}  // namespace
}  // namespace weir
