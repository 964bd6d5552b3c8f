// A randomised simulation of logs, cursors, shards and lag policies, held against a naive model: all
// that was published. Whatever happens (clients stall, are cut, resume; frames are forgotten; channels
// end, are dropped and opened again; the bus is lost and acknowledges later; a shard looks between two
// steps of the bus thread), each stream's account must add up: every message in order, or a gap that
// says how many were missed.
//
// WEIR_MODEL_SEEDS=n runs n seeds instead of the default, WEIR_MODEL_SEED=n just this one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/fanout/fanout_fixture.h"

namespace weir {
namespace {

struct Published {
  Sequence sequence;
  FrameKind kind;
  std::uint64_t ordinal;  // Messages up to and with this one.
  std::string type;
  std::string data;
};

struct ModelChannel {
  ChannelPtr channel;
  Sequence begin = 0;  // Nothing is known of what was before.
  std::vector<Published> published;

  std::uint64_t ordinal() const { return published.empty() ? 0 : published.back().ordinal; }
  std::uint64_t ordinal_at(Sequence sequence) const {
    std::uint64_t ordinal = 0;
    for (const Published& one : published) {
      if (one.sequence <= sequence) ordinal = one.ordinal;
    }
    return ordinal;
  }
};

struct ModelStream {
  StreamReader reader;
  std::vector<std::size_t> channels;
  std::optional<std::string> asked_id;  // What it came with.
  std::optional<Sequence> resumed_at;
  bool is_first_visit = true;
  bool is_stalled = false;
  bool is_ahead = false;  // What it came with was not announced yet.
};

class Simulation {
 public:
  explicit Simulation(std::uint32_t seed) : random_(seed) {
    for (std::size_t i = 1 + pick(3); i > 0; --i) {
      shards_.push_back(std::make_unique<Shard>(options(seed), publisher_.appended(), seed));
    }
    const std::size_t count = 1 + pick(3);
    for (std::size_t i = 0; i < count; ++i) {
      ChannelLog::Limits limits = log_limits();
      limits.history_messages = pick(30);
      limits.history_bytes = 1'000 + pick(40'000);
      limits.history_age = std::chrono::hours(1);
      limits.queue_messages = 1 + pick(40);
      limits.queue_bytes = 500 + pick(60'000);
      const auto policy = pick(4) == 0   ? SlowClientPolicy::kLatest
                          : pick(6) == 0 ? SlowClientPolicy::kDisconnect
                                         : SlowClientPolicy::kSkip;
      limits.keeps_latest = policy == SlowClientPolicy::kLatest;
      channels_.push_back({std::make_shared<Channel>("c" + std::to_string(i), limits, policy), 0, {}});
      acknowledge(channels_.back());
    }
  }

  void run() {
    const std::size_t steps = 50 + pick(250);
    for (std::size_t i = 0; i < steps && !::testing::Test::HasFailure(); ++i) step();
    settle();
    for (const auto& stream : streams_) {
      if (!::testing::Test::HasFailure()) check(*stream, true);
    }
  }

 private:
  static ShardOptions options(std::uint32_t seed) {
    ShardOptions options = shard_options();
    options.epoch = kEpoch;
    // Clients that lag a little find what they need at hand, or they do not.
    options.slice_bytes = seed % 3 == 0 ? 0 : seed % 3 == 1 ? 2'000 : options.slice_bytes;
    options.live_wait = std::chrono::hours(1);  // No clock decides anything here.
    return options;
  }
  std::size_t pick(std::size_t n) { return random_() % n; }

  void step() {
    switch (pick(14)) {
      case 0:
        return open();
      case 1:
        return cut_and_resume();
      case 2:
        if (!streams_.empty()) any_stream().is_stalled = pick(2) == 0;
        return;
      case 3:
        for (const auto& stream : streams_) read_some(*stream);
        return;
      case 4:
        if (pick(3) == 0) return change_state_of_bus(pick(2) == 0);
        return pick(2) == 0 ? lose_and_acknowledge(any_channel()) : change_bus(any_channel());
      case 5:
        return forget();
      case 6:
        if (pick(6) == 0) publish_end(any_channel());
        if (pick(3) == 0) publish_too_large(any_channel());
        return;
      case 7:
      case 8:
        return turn(*shards_[pick(shards_.size())]);
      case 9:
        return begin_append(any_channel());
      case 10:
        if (pick(4) == 0) open_anew(any_channel());
        return;
      default:
        for (std::size_t n = 1 + pick(12); n > 0; --n) publish(any_channel());
    }
  }

  static void turn(Shard& shard) {
    shard.wake();
    // What is appended and not announced yet is hinted again and again: not poll(), which would wait for it.
    for (int i = 0; i < 20 && shard.loop().poll_one() > 0; ++i) {
    }
  }
  ModelChannel& any_channel() { return channels_[pick(channels_.size())]; }

  ModelStream& any_stream() { return *streams_[pick(streams_.size())]; }

  // The bus thread does one thing after the other: what it has begun is ended first.
  void begin_append(ModelChannel& to) {
    end_append();
    if (!to.channel->is_live) return;
    const std::string data = std::to_string(++published_) + ":at the seam";
    const Sequence sequence = publisher_.append_only(*to.channel, data);
    to.published.push_back({sequence, FrameKind::kMessage, to.ordinal() + 1, "", data});
    begun_ = {to.channel, sequence};
  }
  void end_append() {
    if (begun_.first) publisher_.announce(*begun_.first, begun_.second);
    begun_ = {};
  }

  void publish(ModelChannel& to) {
    end_append();
    if (!to.channel->is_live) return;  // To nobody.
    const std::size_t bytes = pick(10) == 0 ? pick(90'000) : pick(300);
    const std::string type = pick(3) == 0 ? "" : "t" + std::to_string(pick(4));
    const std::string data = std::to_string(++published_) + ":" + std::string(bytes, 'x');
    Message message;
    message.data = data;
    message.type = type;
    if (pick(10) == 0) message.retry = std::chrono::seconds(1 + static_cast<int>(pick(50)));
    const Sequence sequence = publisher_.publish(*to.channel, message);
    to.published.push_back({sequence, FrameKind::kMessage, to.ordinal() + 1, type, data});
  }
  void publish_too_large(ModelChannel& to) {
    end_append();
    if (!to.channel->is_live) return;
    const Sequence sequence = publisher_.publish_gap(*to.channel, 1, GapReason::kTooLarge);
    to.published.push_back({sequence, FrameKind::kGap, to.ordinal(), "too-large", ""});
  }
  void publish_end(ModelChannel& to) {
    end_append();
    if (!to.channel->is_live) return;
    const Sequence sequence = publisher_.publish_end(*to.channel);
    to.published.push_back({sequence, FrameKind::kEnd, to.ordinal() + 1, "weir:end", ""});
  }
  void lose_and_acknowledge(ModelChannel& of) {
    end_append();
    if (!of.channel->is_live) return;  // Nothing was there to be lost.
    const Sequence sequence = publisher_.publish_gap(*of.channel, std::nullopt, GapReason::kBusDown);
    of.published.push_back({sequence, FrameKind::kGap, of.ordinal(), "", ""});
  }
  // Which each stream is told, whatever else happens.
  void change_state_of_bus(bool is_up) {
    end_append();
    is_bus_up_ = is_up;
    for (const auto& shard : shards_) shard->set_bus_up(is_up);
  }
  // As the hub does it: gone until the next acknowledgement, which comes with the gap that is owed.
  void change_bus(ModelChannel& of) {
    end_append();
    if (of.channel->is_live.exchange(false)) {
      of.channel->owes_gap = true;
    } else {
      acknowledge(of);
    }
  }
  void acknowledge(ModelChannel& of) {
    end_append();
    const bool owes_gap = of.channel->owes_gap;
    publisher_.acknowledge(*of.channel);
    // The gap comes last, behind the beginning of the log.
    if (owes_gap) of.published.push_back({publisher_.appended(), FrameKind::kGap, of.ordinal(), "", ""});
    of.begin = of.channel->log.begin_sequence();
  }
  // The linger has passed; somebody opens the channel again.
  void open_anew(ModelChannel& of) {
    const auto index = static_cast<std::size_t>(&of - channels_.data());
    const auto follows = [&](const auto& stream) {
      return std::find(stream->channels.begin(), stream->channels.end(), index) != stream->channels.end();
    };
    if (std::any_of(streams_.begin(), streams_.end(), follows)) return;
    end_append();
    of.channel = std::make_shared<Channel>(of.channel->name, of.channel->log.limits(), of.channel->policy);
    of.published.clear();
    if (pick(2) == 0) acknowledge(of);
  }
  void forget() {
    end_append();
    if (pick(20) == 0) any_channel().channel->log.forget_old(now_ += std::chrono::minutes(pick(90)));
    for (std::size_t n = pick(10); n > 0; --n) any_channel().channel->log.evict_front();
  }

  void open() {
    if (streams_.size() > 12) return;
    std::vector<std::size_t> which;
    for (std::size_t i = 0; i < channels_.size(); ++i) {
      if (pick(2) == 0) which.push_back(i);
    }
    if (which.empty()) which.push_back(pick(channels_.size()));
    Visit visit;
    if (pick(6) == 0) visit.replay = 1 + pick(20);
    join(which, std::move(visit));
  }

  void join(const std::vector<std::size_t>& which, Visit visit) {
    for (const std::size_t i : which) visit.channels.push_back(channels_[i].channel);
    visit.encoding.is_chunked = pick(5) != 0;
    // It is told so, gets nothing of the logs, and comes back with where it stood.
    if (pick(16) == 0) visit.expires_at = std::chrono::system_clock::now();
    if (which.size() > 1 || pick(4) == 0) visit.encoding.form = Form::kEvents;
    const auto asked_id = visit.last_event_id;
    std::optional<Sequence> resumed_at;
    if (visit.last_event_id) resumed_at = parse_event_id(*visit.last_event_id)->sequence;
    const bool is_first_visit = !visit.last_event_id && visit.replay == 0;
    const bool is_ahead = resumed_at && *resumed_at > publisher_.appended();
    streams_.push_back(std::make_unique<ModelStream>(
        ModelStream{open_stream(*shards_[pick(shards_.size())], std::move(visit)), which, asked_id,
                    resumed_at, is_first_visit, false, is_ahead}));
  }

  void cut_and_resume() {
    if (streams_.empty()) return;
    const std::size_t index = pick(streams_.size());
    ModelStream& stream = *streams_[index];
    read_some(stream);
    check(stream, false, true);
    Visit visit;
    const std::string id = stream.reader.last_event_id();
    const bool has_ended = is_end_id(id) && stream.channels.size() == 1;
    visit.last_event_id = id.empty() ? stream.asked_id : id;
    const auto which = stream.channels;
    stream.reader.close();
    streams_.erase(streams_.begin() + static_cast<std::ptrdiff_t>(index));
    if (!has_ended) join(which, std::move(visit));
  }

  void read_some(ModelStream& stream) {
    if (!stream.is_stalled) stream.reader.read(pick(3) == 0 ? pick(2'000) : 1 << 20);
  }

  // Everybody reads until nothing comes any more.
  void settle() {
    end_append();
    for (ModelChannel& channel : channels_) {
      if (!channel.channel->is_live) acknowledge(channel);
    }
    std::size_t bytes = 1;
    while (bytes > 0) {
      for (const auto& shard : shards_) {
        shard->wake();
        while (shard->loop().poll() > 0) {
        }
      }
      bytes = 0;
      for (const auto& stream : streams_) bytes += stream->reader.read(1 << 22);
    }
  }

  static constexpr std::uint64_t kMustBeTold = std::uint64_t{1} << 60;

  // One channel's side of one stream.
  struct Account {
    std::optional<std::uint64_t> expected;  // Messages that the client has, or was told it missed.
    std::size_t shared_gaps = 0;
    Sequence last = 0;  // The newest thing told.
    bool is_conflated = false;
    bool was_unknown = false;
    bool has_ended = false;
    std::map<std::string, std::string> newest;  // By type.
  };

  // `is_cut`: it comes back with the position that it has.
  void check(ModelStream& stream, bool is_settled, bool is_cut = false) {
    const auto& events = stream.reader.events();
    if (events.empty() && !is_settled) return;  // It waits for the bus, perhaps.
    ASSERT_FALSE(events.empty());
    ASSERT_EQ(events[0].comment, "weir heartbeat=15");
    ASSERT_FALSE(events[0].retry.empty());
    const auto first = parse_event_id(events[0].id);
    ASSERT_TRUE(first);
    // Who comes back with what is not announced yet is answered as if nobody knew the id.
    if (first->sequence == 0 && stream.is_ahead) stream.resumed_at = 0;
    if (stream.resumed_at) {
      ASSERT_EQ(first->sequence, *stream.resumed_at);
    }
    std::map<std::string, Account> accounts;
    std::map<std::string, const ModelChannel*> by_name;
    for (const std::size_t i : stream.channels) {
      const ModelChannel& channel = channels_[i];
      by_name[channel.channel->name] = &channel;
      Account& account = accounts[channel.channel->name];
      // ?replay=n may begin anywhere, also behind gaps that are later than the first id.
      if (stream.is_first_visit || stream.resumed_at) account.expected = channel.ordinal_at(first->sequence);
      // From before the channel was opened: nothing follows but a gap of unknown size.
      if (stream.resumed_at && first->sequence < channel.begin) account.expected = kMustBeTold;
      account.was_unknown = !account.expected;
      account.last = first->sequence;
    }
    check_bus_state(stream, is_settled);
    Sequence last_id = first->sequence;
    for (std::size_t i = 1; i < events.size() && !::testing::Test::HasFailure(); ++i) {
      const ReceivedEvent& event = events[i];
      if (event.type == "weir:gap") {
        check_gap(event, accounts, by_name);
      } else if (event.has_data && event.type != "weir:live" && event.type != "weir:token-expiring" &&
                 event.type != "weir:bus") {
        check_message(event, accounts, by_name, last_id);
      } else if (!event.id.empty()) {
        last_id = std::max(last_id, parse_event_id(event.id)->sequence);  // A position.
      }
    }
    if (is_cut) check_nothing_is_told_again(events, accounts, by_name, last_id);
    if (!is_settled || stream.reader.is_closed()) return;
    for (const auto& [name, account] : accounts) {
      if (account.has_ended) continue;
      const ModelChannel& channel = *by_name[name];
      if (account.expected && !account.is_conflated) {
        EXPECT_EQ(*account.expected, channel.ordinal()) << name;
      }
      if (account.is_conflated) {
        for (const auto& [type, data] : account.newest)
          EXPECT_EQ(number_of(data), number_of(newest_of(channel, type))) << name << " " << type;
      }
      const bool is_latest = channel.channel->policy == SlowClientPolicy::kLatest;
      if (!account.expected || (is_latest && account.was_unknown)) continue;
      const auto is_later_gap = [&last = account.last](const Published& one) {
        return one.kind == FrameKind::kGap && one.sequence > last;
      };
      EXPECT_TRUE(std::none_of(channel.published.begin(), channel.published.end(), is_later_gap))
          << name << ": a shared gap was not told";
    }
  }

  // It was told of all up to its position. A stream of one channel is told of nothing behind it, so that
  // counts stay exact over the cut; but for a cut between a gap and the position behind it.
  static void check_nothing_is_told_again(const std::vector<ReceivedEvent>& events,
                                          const std::map<std::string, Account>& accounts,
                                          const std::map<std::string, const ModelChannel*>& by_name,
                                          Sequence last_id) {
    if (events.back().type == "weir:gap") return;
    for (const auto& [name, account] : accounts) {
      const bool is_alone = by_name.size() == 1;
      if (is_alone) {
        EXPECT_LE(account.last, last_id) << name << ": a gap is told again";
      }
      const bool is_latest =
          by_name.at(name)->channel->policy == SlowClientPolicy::kLatest;  // Some lie before newer ones.
      if (!account.expected || *account.expected == kMustBeTold || is_latest || account.has_ended) continue;
      const std::uint64_t passed = by_name.at(name)->ordinal_at(last_id);
      EXPECT_GE(*account.expected, passed) << name << ": its position hides what it was not told of";
      if (is_alone) {
        EXPECT_EQ(*account.expected, passed) << name << ": counted again";
      }
    }
  }

  // Of changes alone, without an id, and in the end of the true state.
  void check_bus_state(const ModelStream& stream, bool is_settled) {
    bool is_up = true;
    for (const ReceivedEvent& event : stream.reader.events()) {
      if (event.type != "weir:bus") continue;
      EXPECT_EQ(event.data, is_up ? R"({"state":"down"})" : R"({"state":"up"})");
      EXPECT_TRUE(event.id.empty());
      is_up = !is_up;
    }
    if (is_settled && !stream.reader.is_closed()) {
      EXPECT_EQ(is_up, is_bus_up_);
    }
  }

  // What a message's data begins with.
  static std::string number_of(const std::string& data) { return data.substr(0, data.find(':')); }
  static std::string newest_of(const ModelChannel& channel, const std::string& type) {
    for (auto one = channel.published.rbegin(); one != channel.published.rend(); ++one) {
      if (one->kind == FrameKind::kMessage && one->type == type) return one->data;
    }
    return {};
  }

  void check_gap(const ReceivedEvent& event, std::map<std::string, Account>& accounts,
                 const std::map<std::string, const ModelChannel*>& by_name) {
    const std::string name = event.data.substr(12, 2);  // {"channel":"c0",
    ASSERT_EQ(accounts.count(name), 1U) << event.data;
    Account& account = accounts[name];
    EXPECT_TRUE(event.id.empty());
    const bool is_unknown = event.data.find("\"missed\":null") != std::string::npos;
    const bool is_too_large = event.data.find("too-large") != std::string::npos;
    if (is_too_large || event.data.find("bus-down") != std::string::npos) {
      const auto& published = by_name.at(name)->published;
      const auto gap = std::find_if(published.begin(), published.end(), [&](const Published& one) {
        return one.kind == FrameKind::kGap && one.sequence > account.last &&
               (one.type == "too-large") == is_too_large;
      });
      ASSERT_NE(gap, published.end()) << "told of a gap that never was";
      account.last = gap->sequence;
      return;
    }
    EXPECT_EQ(is_unknown, event.data.find("history") != std::string::npos && is_unknown) << event.data;
    account.newest.clear();  // The newest of a type may be among what was missed.
    if (is_unknown) {
      account.was_unknown = true;
      account.expected.reset();
    } else if (account.expected) {
      const auto at = event.data.find("\"missed\":") + 9;
      *account.expected += std::stoul(event.data.substr(at));
    }
  }

  void check_message(const ReceivedEvent& event, std::map<std::string, Account>& accounts,
                     const std::map<std::string, const ModelChannel*>& by_name, Sequence& last_id) {
    const auto id = parse_event_id(event.id);
    ASSERT_TRUE(id) << event.id;
    ASSERT_GT(id->sequence, last_id) << "out of order, or twice";
    last_id = id->sequence;
    for (const auto& [name, channel] : by_name) {
      const auto found = std::find_if(channel->published.begin(), channel->published.end(),
                                      [&](const Published& one) { return one.sequence == id->sequence; });
      if (found == channel->published.end()) continue;
      Account& account = accounts[name];
      ASSERT_FALSE(account.has_ended) << "behind the end";
      const bool is_end = found->kind == FrameKind::kEnd;
      if (!is_end) {
        ASSERT_TRUE(event.data == found->data)
            << number_of(event.data) << " in the place of " << number_of(found->data);
      }
      const auto told = std::count_if(channel->published.begin(), found, [&](const Published& one) {
        return one.kind == FrameKind::kGap && one.sequence > account.last;
      });
      const bool is_latest = channel->channel->policy == SlowClientPolicy::kLatest;
      // A gap of unknown size may cover shared ones; and where messages are conflated, one told behind
      // it may be any.
      if (account.expected && !(is_latest && account.was_unknown)) {
        ASSERT_EQ(told, 0) << "a shared gap before " << event.id << " was not told";
      }
      if (is_latest && account.expected && found->ordinal != *account.expected + 1)
        account.is_conflated = true;
      if (account.expected && !account.is_conflated) {
        ASSERT_EQ(found->ordinal, *account.expected + 1) << "missed in silence before " << event.id;
      }
      account.expected = found->ordinal;
      account.last = std::max(account.last, found->sequence);
      account.newest[found->type] = found->data;
      account.has_ended = is_end;
      return;
    }
    FAIL() << "an event of a channel that was not asked for: " << event.id;
  }

  std::minstd_rand random_;
  Publisher publisher_;
  std::vector<ModelChannel> channels_;
  std::pair<ChannelPtr, Sequence> begun_;  // Appended, and not announced yet.
  SteadyTime now_ = std::chrono::steady_clock::now();
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::unique_ptr<ModelStream>> streams_;
  std::uint64_t published_ = 0;
  bool is_bus_up_ = true;
};

std::uint32_t number_from(const char* variable, std::uint32_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : static_cast<std::uint32_t>(std::strtoul(text, nullptr, 10));
}

TEST(Model, EveryAccountAddsUp) {
  const std::uint32_t only = number_from("WEIR_MODEL_SEED", 0);
  const std::uint32_t seeds = number_from("WEIR_MODEL_SEEDS", 2'000);
  for (std::uint32_t seed = only != 0 ? only : 1; seed <= (only != 0 ? only : seeds); ++seed) {
    SCOPED_TRACE("WEIR_MODEL_SEED=" + std::to_string(seed));
    Simulation(seed).run();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace weir
