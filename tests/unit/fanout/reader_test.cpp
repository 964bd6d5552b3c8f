// The reader alone: logs and cursors, no socket, no shard, no clock.
#include "broker/fanout/reader.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "broker/fanout/stream_request.h"
#include "tests/unit/fanout/fanout_fixture.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string gap_text(const std::string& channel, const std::string& missed, const std::string& reason) {
  return "gap " + channel + " " + missed + " " + reason;
}

class ReaderTest : public ::testing::Test {
 protected:
  ChannelPtr channel(const std::string& name, const ChannelLog::Limits& limits = log_limits(),
                     SlowClientPolicy policy = SlowClientPolicy::kSkip) {
    auto channel = std::make_shared<Channel>(name, limits, policy);
    publisher_.acknowledge(*channel);
    return channel;
  }
  void follow(Reader& reader, const ChannelPtr& channel) {
    feeds_.push_back(std::make_shared<Feed>(inbox_, channel));
    feeds_.back()->position = channel->log.end();
    reader.follow(feeds_.back(), 0);
  }
  // A first visit to `channels`.
  void begin(Reader& reader, const std::vector<ChannelPtr>& channels) {
    for (const ChannelPtr& channel : channels) follow(reader, channel);
    start(reader);
  }
  Reader::Start start(Reader& reader, const StreamRequest& request = {}) {
    return reader.start(context_, request, publisher_.appended());
  }
  // What a shard does in one turn: everything that was appended is announced.
  void look() {
    context_.horizon = publisher_.appended();
    for (const auto& feed : feeds_) feed->position = feed->channel->log.end();
  }
  // The blocks of one entry as text: the data of messages, "gap ...", "end".
  static std::vector<std::string> texts_of(const Reader& reader, const Outgoing& item) {
    std::vector<std::string> texts;
    std::string_view rest = bytes_of(*item.entry.frame, kPlain, reader.channel_name(item.subscription));
    while (!rest.empty()) {
      const auto end = rest.find("\n\n") + 2;
      const std::string_view block = rest.substr(0, end);
      rest.remove_prefix(end);
      if (block.find("data:") == std::string_view::npos) continue;  // A position alone.
      const DecodedEvent event = decode_block(block);
      texts.push_back(event.type == "weir:end"   ? "end"
                      : event.type == "weir:gap" ? gap_of(event.data)
                                                 : event.data);
    }
    return texts;
  }
  // Reads on until nothing is left, and sends all of it.
  std::vector<std::string> read_all(Reader& reader) {
    std::vector<std::string> texts;
    std::vector<Outgoing> out;
    for (int i = 0; i < 1'000; ++i) {
      out.clear();
      const auto next = reader.read(context_, out);
      if (next == Reader::Next::kTooSlow) return {"too slow"};
      if (next == Reader::Next::kNothing) {
        if (!reader.is_replaying()) return texts;
        texts.push_back("replayed " + std::to_string(reader.end_replay(context_).messages));
      }
      for (const Outgoing& item : out) {
        for (std::string& text : texts_of(reader, item)) texts.push_back(std::move(text));
        if (item.entry.frame->kind() == FrameKind::kMessage) reader.count_replayed();
        reader.on_sent(item.entry, item.subscription);
      }
    }
    ADD_FAILURE() << "it reads for ever";
    return texts;
  }
  std::string id(Sequence sequence) const { return format_event_id(kEpoch, sequence); }

  static std::string gap_of(const std::string& data) {
    // {"channel":"c","missed":1,"reason":"r"}
    const auto value = [&](const std::string& name) {
      auto begin = data.find("\"" + name + "\":") + name.size() + 3;
      if (data[begin] == '"') ++begin;
      return data.substr(begin, data.find_first_of("\",}", begin) - begin);
    };
    return gap_text(value("channel"), value("missed"), value("reason"));
  }

  static constexpr Encoding kPlain{Form::kChannel, false};
  Publisher publisher_;
  HintInbox inbox_{publisher_.appended()};
  std::array<Tally, kGapReasons> gaps_;
  std::array<Tally, kGapReasons> missed_;
  ReadContext context_{.epoch = kEpoch, .frames = publisher_.counter(), .gaps = &gaps_, .missed = &missed_};
  std::vector<std::shared_ptr<Feed>> feeds_;
};

TEST_F(ReaderTest, BeginsBehindWhatIsThere) {
  const auto news = channel("news");
  publisher_.publish(*news, "before");
  Reader reader;
  follow(reader, news);
  EXPECT_EQ(start(reader).id, id(publisher_.appended()));
  publisher_.publish(*news, "after");
  look();
  EXPECT_THAT(read_all(reader), ElementsAre("after"));
  EXPECT_THAT(read_all(reader), IsEmpty());
}

TEST_F(ReaderTest, ResumesBehindTheLastEventId) {
  const auto news = channel("news");
  publisher_.publish(*news, "a");
  const Sequence seen = publisher_.publish(*news, "b");
  publisher_.publish(*news, "c");
  publisher_.publish(*news, "d");
  Reader reader;
  follow(reader, news);
  look();
  StreamRequest request;
  request.last_event_id = id(seen);
  EXPECT_EQ(start(reader, request).id, id(seen));
  EXPECT_THAT(read_all(reader), ElementsAre("c", "d", "replayed 2"));
}

TEST_F(ReaderTest, AnIdOfAnotherGatewayIsAGapBeforeAnythingElse) {
  const auto news = channel("news");
  publisher_.publish(*news, "a");
  Reader reader;
  follow(reader, news);
  look();
  StreamRequest request;
  request.last_event_id = format_event_id("another0", 7);
  const auto begun = start(reader, request);
  EXPECT_EQ(begun.id, id(0));
  EXPECT_THAT(begun.gaps, ::testing::HasSubstr(R"("missed":null,"reason":"history")"));
  EXPECT_EQ(reader.gaps(), 1U);
  EXPECT_EQ(gaps_[static_cast<std::size_t>(GapReason::kHistory)].value(), 1U);
}

TEST_F(ReaderTest, ReplaysTheLastMessagesThatWereAskedFor) {
  const auto news = channel("news");
  for (const char* data : {"a", "b", "c"}) publisher_.publish(*news, data);
  Reader reader;
  follow(reader, news);
  look();
  StreamRequest request;
  request.beginnings = {{.replay = 2}};
  start(reader, request);
  EXPECT_TRUE(reader.is_replaying());
  EXPECT_THAT(read_all(reader), ElementsAre("b", "c", "replayed 2"));
  EXPECT_FALSE(reader.is_replaying());
}

// The channel was opened anew since: its log begins behind the client's id.
TEST_F(ReaderTest, AChannelThatIsNewBeginsLiveWithoutAGapAndAnyOtherHasOne) {
  const auto old = channel("old");
  const Sequence seen = publisher_.publish(*old, "seen");
  const auto news = channel("news");
  publisher_.publish(*news, "before");
  for (const bool is_new : {true, false}) {
    Reader reader;
    follow(reader, news);
    look();
    StreamRequest request;
    request.last_event_id = id(seen);
    if (is_new) request.beginnings = {{.is_new = true}};
    const auto begun = start(reader, request);
    EXPECT_EQ(begun.id, is_new ? id(publisher_.appended()) : id(seen));
    EXPECT_EQ(begun.gaps, "");
    const std::string gap = gap_text("news", "null", "history");
    if (is_new) {
      EXPECT_THAT(read_all(reader), ElementsAre("replayed 0"));
    } else {
      EXPECT_THAT(read_all(reader), ElementsAre(gap, "replayed 0"));
    }
    publisher_.publish(*news, "after");
    look();
    EXPECT_THAT(read_all(reader), ElementsAre("after"));
  }
}

TEST_F(ReaderTest, ANewChannelNeedsNoIdThatThisGatewayKnows) {
  const auto a = channel("a");
  const auto b = channel("b");
  publisher_.publish(*b, "before");
  Reader reader;
  follow(reader, a);
  follow(reader, b);
  look();
  StreamRequest request;
  request.last_event_id = format_event_id("another0", 7);
  request.beginnings = {{}, {.is_new = true}};
  const auto begun = start(reader, request);
  EXPECT_EQ(begun.id, id(0)) << "a is told of its gap again if the client is cut off before it.";
  EXPECT_EQ(begun.gaps, encode_gap("a", std::nullopt, GapReason::kHistory));
  EXPECT_THAT(read_all(reader), ElementsAre("replayed 0"));
}

TEST_F(ReaderTest, OneChannelGoesOnWhileANewOneIsReplayed) {
  const auto a = channel("a");
  const auto b = channel("b");
  for (const char* data : {"b1", "b2", "b3"}) publisher_.publish(*b, data);
  const Sequence seen = publisher_.publish(*a, "a1");
  publisher_.publish(*b, "b4");
  publisher_.publish(*a, "a2");
  Reader reader;
  follow(reader, a);
  follow(reader, b);
  look();
  StreamRequest request;
  request.last_event_id = id(seen);
  request.beginnings = {{}, {.replay = 3, .is_new = true}};
  EXPECT_EQ(start(reader, request).id, id(seen));
  EXPECT_TRUE(reader.has_own_ids());
  EXPECT_THAT(read_all(reader), ElementsAre("b2", "b3", "b4", "a2", "replayed 4"));
  EXPECT_FALSE(reader.has_own_ids()) << "They are for the replay alone.";
  publisher_.publish(*b, "b5");
  look();
  reader.set_all_dirty();
  EXPECT_THAT(read_all(reader), ElementsAre("b5"));
}

// Wherever the client is cut, its id is one with which `a` goes on exactly.
TEST_F(ReaderTest, TheReplayOfANewChannelMovesNoPositionBack) {
  const auto a = channel("a");
  const auto b = channel("b");
  Sequence seen = 0;
  std::vector<Sequence> of_a;
  for (int i = 0; i < 12; ++i) {
    publisher_.publish(*b, "b");
    of_a.push_back(publisher_.publish(*a, "a" + std::to_string(i)));
    if (i == 6) seen = of_a.back();
  }
  for (const bool is_known : {true, false}) {
    Reader reader;
    follow(reader, a);
    follow(reader, b);
    look();
    StreamRequest request;
    request.encoding.form = Form::kEvents;
    request.last_event_id = is_known ? id(seen) : format_event_id("another0", 7);
    request.beginnings = {{}, {.replay = kReplayAll, .is_new = true}};
    EXPECT_EQ(start(reader, request).id, is_known ? id(seen) : id(0));
    Sequence position = is_known ? seen : publisher_.appended().load();
    std::size_t messages = 0;
    std::vector<Outgoing> out;
    while (reader.read(context_, out) == Reader::Next::kEntries) {
      for (const Outgoing& item : out) {
        const DecodedEvent event = decode_block(
            bytes_of(*item.entry.frame, {Form::kEvents, false}, reader.channel_name(item.subscription)));
        const auto told = parse_event_id(event.id);
        ASSERT_TRUE(told) << event.id;
        EXPECT_GE(told->sequence, position) << event.data;
        position = told->sequence;
        if (event.type == "a") {
          EXPECT_EQ(told->sequence, item.entry.at.sequence);
        }
        ++messages;
        reader.on_sent(item.entry, item.subscription);
      }
      out.clear();
    }
    EXPECT_EQ(messages, is_known ? 12U + 5U : 12U);
    EXPECT_EQ(reader.end_replay(context_).id, id(publisher_.appended()));
  }
}

TEST_F(ReaderTest, EachChannelOfAFirstVisitMayHaveAReplayOfItsOwn) {
  const auto a = channel("a");
  const auto b = channel("b");
  for (const char* data : {"1", "2", "3"}) {
    publisher_.publish(*a, std::string("a") + data);
    publisher_.publish(*b, std::string("b") + data);
  }
  Reader reader;
  follow(reader, a);
  follow(reader, b);
  look();
  StreamRequest request;
  request.beginnings = {{.replay = 1}, {.replay = 2}};
  start(reader, request);
  EXPECT_THAT(read_all(reader), ElementsAre("b2", "a3", "b3", "replayed 3"));
}

TEST_F(ReaderTest, MergesItsChannelsBySequence) {
  const auto a = channel("a");
  const auto b = channel("b");
  Reader reader;
  begin(reader, {a, b});
  for (const char* data : {"1", "3", "5"}) {
    publisher_.publish(*a, data);
    publisher_.publish(*b, std::string(1, static_cast<char>(data[0] + 1)));
  }
  look();
  EXPECT_THAT(read_all(reader), ElementsAre("1", "2", "3", "4", "5", "6"));
}

TEST_F(ReaderTest, NeverReadsPastTheHorizon) {
  const auto a = channel("a");
  const auto b = channel("b");
  Reader reader;
  begin(reader, {a, b});
  publisher_.publish(*a, "1");
  look();
  const Sequence horizon = context_.horizon;
  publisher_.publish(*b, "2");
  publisher_.publish(*a, "3");
  look();
  context_.horizon = horizon;
  EXPECT_THAT(read_all(reader), ElementsAre("1"));
  for (Subscription& mine : reader.subscriptions()) mine.is_dirty = true;
  look();
  EXPECT_THAT(read_all(reader), ElementsAre("2", "3"));
}

TEST_F(ReaderTest, WhatTheSocketDidNotTakeComesAgain) {
  const auto a = channel("a");
  const auto b = channel("b");
  Reader reader;
  begin(reader, {a, b});
  publisher_.publish(*a, "1");
  publisher_.publish(*b, "2");
  publisher_.publish(*a, "3");
  look();
  std::vector<Outgoing> out;
  ASSERT_EQ(reader.read(context_, out), Reader::Next::kEntries);
  ASSERT_EQ(out.size(), 3U);
  reader.on_sent(out[0].entry, out[0].subscription);
  reader.take_back(out[1]);
  reader.take_back(out[2]);
  EXPECT_THAT(read_all(reader), ElementsAre("2", "3"));
}

TEST_F(ReaderTest, ALagPastTheQueueIsJumpedOverAndToldExactly) {
  ChannelLog::Limits limits = log_limits();
  limits.queue_messages = 2;
  limits.history_messages = 0;
  const auto news = channel("news", limits);
  Reader reader;
  begin(reader, {news});
  news->log.set_floor(&reader, reader.subscriptions()[0].cursor);
  for (const char* data : {"a", "b", "c", "d", "e"}) publisher_.publish(*news, data);
  look();
  EXPECT_TRUE(reader.is_over_queue(0));
  EXPECT_THAT(read_all(reader), ElementsAre(gap_text("news", "3", "slow-client"), "d", "e"));
}

TEST_F(ReaderTest, PolicyDisconnectEndsTheStreamInstead) {
  ChannelLog::Limits limits = log_limits();
  limits.queue_messages = 2;
  const auto news = channel("news", limits, SlowClientPolicy::kDisconnect);
  Reader reader;
  begin(reader, {news});
  for (const char* data : {"a", "b", "c"}) publisher_.publish(*news, data);
  EXPECT_FALSE(reader.is_too_slow(0));
  look();
  EXPECT_TRUE(reader.is_too_slow(0));
  EXPECT_THAT(read_all(reader), ElementsAre("too slow"));
}

TEST_F(ReaderTest, PolicyLatestGivesTheNewestOfEachType) {
  ChannelLog::Limits limits = log_limits();
  limits.queue_messages = 1;
  limits.history_messages = 0;
  limits.keeps_latest = true;
  const auto news = channel("news", limits, SlowClientPolicy::kLatest);
  Reader reader;
  begin(reader, {news});
  publisher_.publish(*news, "x1", "x");
  publisher_.publish(*news, "y1", "y");
  publisher_.publish(*news, "x2", "x");
  look();
  EXPECT_THAT(read_all(reader), ElementsAre("y1", "x2"));
}

TEST_F(ReaderTest, ReadsNothingBehindAnEnd) {
  const auto news = channel("news");
  Reader reader;
  begin(reader, {news});
  publisher_.publish(*news, "a");
  publisher_.publish_end(*news);
  publisher_.publish(*news, "of the next run");
  look();
  EXPECT_THAT(read_all(reader), ElementsAre("a", "end"));
  EXPECT_THAT(read_all(reader), IsEmpty());
}

// Random publishing, forgetting, sockets that take a part, and readers that come back: what a reader was
// given and what it was told it missed add up to what was published. The shard's own model (model_test.cpp)
// plays the sockets as well.
class ReaderModel : public ReaderTest {
 protected:
  std::size_t pick(std::size_t n) { return random_() % n; }

  void play(std::uint32_t seed) {
    random_.seed(seed);
    channels_.clear();
    published_.clear();
    const std::size_t channels = 1 + pick(3);
    for (std::size_t i = 0; i < channels; ++i) {
      ChannelLog::Limits limits = log_limits();
      limits.history_messages = pick(8);
      limits.queue_messages = 1 + pick(8);
      channels_.push_back(channel("c" + std::to_string(i), limits));
      published_.emplace_back();
    }
    visit({});
    for (std::size_t step = 0; step < 200 && !HasFailure(); ++step) {
      switch (pick(6)) {
        case 0:
          read_some();
          break;
        case 1:
          look();
          for (Subscription& mine : reader_->subscriptions()) mine.is_dirty = true;
          break;
        case 2:
          if (pick(4) == 0) visit(id(position_));
          break;
        default:
          publish(pick(channels));
      }
    }
    look();
    for (Subscription& mine : reader_->subscriptions()) mine.is_dirty = true;
    while (read_some()) {
    }
    for (std::size_t i = 0; i < channels; ++i) {
      if (accounts_[i]) {
        EXPECT_EQ(*accounts_[i], published_[i].size()) << "c" << i;
      }
    }
  }

 private:
  void publish(std::size_t index) {
    const std::string data = std::to_string(published_[index].size() + 1);
    published_[index].push_back(publisher_.publish(*channels_[index], data));
  }
  // Messages of the channel up to `position`.
  std::uint64_t count_at(std::size_t index, Sequence position) const {
    const auto& sequences = published_[index];
    return static_cast<std::uint64_t>(std::upper_bound(sequences.begin(), sequences.end(), position) -
                                      sequences.begin());
  }
  // A first visit, or one that resumes at the position it was told.
  void visit(std::optional<std::string> last_event_id) {
    reader_ = std::make_unique<Reader>();
    feeds_.clear();
    for (const auto& channel : channels_) follow(*reader_, channel);
    look();
    if (!last_event_id) position_ = publisher_.appended();
    for (std::size_t i = 0; last_event_id && i < channels_.size(); ++i) {
      if (accounts_[i]) {
        EXPECT_GE(*accounts_[i], count_at(i, position_)) << "c" << i << ": its position hides something";
      }
    }
    accounts_.clear();
    for (std::size_t i = 0; i < channels_.size(); ++i) accounts_.push_back(count_at(i, position_));
    StreamRequest request;
    request.last_event_id = last_event_id;
    EXPECT_EQ(start(*reader_, request).id, id(position_));
  }
  bool read_some() {
    std::vector<Outgoing> out;
    const auto next = reader_->read(context_, out);
    if (next == Reader::Next::kNothing && !reader_->is_replaying()) return false;
    if (next == Reader::Next::kNothing)
      position_ = parse_event_id(reader_->end_replay(context_).id)->sequence;
    const std::size_t taken = out.empty() ? 0 : 1 + pick(out.size());
    for (std::size_t i = 0; i < taken; ++i) {
      for (const std::string& text : texts_of(*reader_, out[i])) account(out[i].subscription, text);
      reader_->on_sent(out[i].entry, out[i].subscription);
      const std::string_view bytes = bytes_of(*out[i].entry.frame, kPlain, "");
      const auto at = bytes.rfind("id: ");
      if (at == std::string_view::npos) continue;
      const auto told = parse_event_id(bytes.substr(at + 4, bytes.find('\n', at) - at - 4));
      EXPECT_GE(told->sequence, position_) << "an id went back";
      position_ = told->sequence;
    }
    for (std::size_t i = taken; i < out.size(); ++i) reader_->take_back(out[i]);
    return true;
  }
  // The next message, or a gap that says how many of them are missing; unknown counts end the account.
  void account(std::uint32_t subscription, const std::string& text) {
    std::optional<std::uint64_t>& account = accounts_[subscription];
    if (text.starts_with("gap ")) {
      std::istringstream words(text);
      std::string word, missed;
      words >> word >> word >> missed;
      if (missed == "null") {
        account.reset();
      } else if (account) {
        *account += std::stoull(missed);
      }
      return;
    }
    const std::uint64_t number = std::stoull(text);
    if (account) {
      EXPECT_EQ(number, *account + 1) << "c" << subscription;
    }
    account = number;
  }

  std::mt19937 random_;
  std::vector<ChannelPtr> channels_;
  std::vector<std::vector<Sequence>> published_;  // Of each channel, in order.
  // Messages of each channel that it was given or told of; null after a gap of an unknown number.
  std::vector<std::optional<std::uint64_t>> accounts_;
  std::unique_ptr<Reader> reader_;
  Sequence position_ = 0;
};

TEST_F(ReaderModel, EveryAccountAddsUp) {
  for (std::uint32_t seed = 1; seed <= 1'000 && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    play(seed);
  }
}

}  // namespace
}  // namespace weir
