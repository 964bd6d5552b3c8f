// The subscriber connection: the wanted channels, and what Redis knows of them.
//
// The set of wanted channels is the one truth. A channel gets a command if its last one asked for something
// else; after each connect all wanted channels get one. Redis answers every SUBSCRIBE and UNSUBSCRIBE in
// order. A channel's state is known once all its commands are answered, and only then on_subscribed() is
// called. So any order of subscribe and unsubscribe comes out right without a wait.
//
// Patterns given to record() are subscribed first. A channel that one of them covers is not subscribed by
// name as well: its messages would come twice. If several patterns cover it, the first one counts.
//
// A durable channel has two subscriptions: its announcements, by sharded pub/sub, and plain messages under its name.
// It lives from the first; of the second nobody is told more than its messages.
//
// Threads:   any for state(), why_not_up() and round_trips(), record() before open(), the bus thread for everything else.
// Ownership: the listener outlives this object.
// Limits:    at most kUnsentBytesMax bytes of commands are queued, for any number of channels.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/base/keyed_hash.h"
#include "broker/base/tally.h"
#include "broker/bus/redis_connection.h"

namespace weir {

class RedisSubscriber : private RedisConnection::Owner {
 public:
  struct State {
    std::atomic<bool> is_up = false;
    std::atomic<bool> was_ever_up = false;
    std::atomic<std::uint64_t> wanted = 0;
    std::atomic<std::uint64_t> acknowledged = 0;
    // Channels in memory: the wanted ones, and those given up whose last command has no answer yet.
    std::atomic<std::uint64_t> held = 0;
    std::atomic<std::uint64_t> losses = 0;
  };

  // What durable channels hear. Bus thread.
  class Announcements {
   public:
    virtual ~Announcements() = default;
    // Announcements of `channel` arrive from now on. Called again after each loss.
    virtual void on_announcing(std::string_view channel) = 0;
    virtual void on_announcing_refused(std::string_view channel, std::string_view why) = 0;
    // A text, or a nil that was far too large, valid during the call.
    virtual void on_announcement(std::string_view channel, const redisReply& text) = 0;
    // Nothing arrives until the next on_announcing() of each channel.
    virtual void on_announcements_lost() = 0;
  };

  RedisSubscriber(asio::io_context& io, const RedisBusOptions& options, BusListener& listener);

  // Call it before open() if there are durable channels. `announcements` outlives this object.
  void set_announcements(Announcements& announcements) { announcements_ = &announcements; }
  void record(std::string pattern);
  void open() { connection_.open(); }
  void close();
  void subscribe(std::string channel);
  void unsubscribe(const std::string& channel);
  void subscribe_durable(const std::string& channel);
  void unsubscribe_durable(const std::string& channel);
  // Call it after a batch of the above: sends the changes.
  void settle();

  const State& state() const { return state_; }
  std::string why_not_up() const { return connection_.why_not_up(); }
  // From each PING to its answer, which follows the messages that Redis has sent before it.
  const TimeTally& round_trips() const { return round_trips_; }

 private:
  struct Channel {
    bool is_wanted = false;
    bool is_acknowledged = false;  // The listener was told.
    bool is_on_server = false;     // The last command sent for it was SUBSCRIBE.
    bool is_queued = false;        // In changed_.
    bool is_sent_alone = false;    // A SUBSCRIBE of several channels with this one was refused.
    bool is_sharded = false;       // The announcements of a durable channel.
    bool is_durable = false;       // The plain messages of one: the listener is not told of the subscription.
    std::uint32_t unanswered = 0;  // Commands sent for it that have no answer yet.
  };
  using Channels = NameMap<Channel>;
  using Entry = Channels::value_type;  // Never moves: the map's nodes stay in place.

  struct Pattern {
    std::string text;      // As given to record().
    std::string on_redis;  // Prefixed; escaped, if it is a glob.
    bool is_glob = false;  // Without a "*" it is a channel's name, for SUBSCRIBE.
    bool is_acknowledged = false;
    bool is_refused = false;
  };
  struct Command {
    enum class Kind { kSubscribe, kUnsubscribe, kPattern, kPing };
    Kind kind = Kind::kPing;
    std::vector<Entry*> channels;  // Answered one by one, in this order.
    std::size_t answered = 0;
    std::size_t pattern = 0;
    std::chrono::steady_clock::time_point sent = {};  // A PING.
  };

  void on_up() override;
  void on_reply(const redisReply& reply) override;
  void on_read() override;
  void on_ping_due() override;
  void on_written() override { send_changes(); }
  void on_down() override;

  void deliver(std::string_view name, const redisReply& payload, std::optional<std::string_view> glob);
  void announce(std::string_view name, const redisReply& text);
  void on_acknowledgement(std::string_view kind, std::string_view name);
  void on_error(std::string_view text);
  void on_pattern_acknowledged(Pattern& pattern);
  void on_pattern_refused(Pattern& pattern, std::string_view why);
  void on_channels_refused(const Command& command, std::string_view why, bool are_all_meant);
  void tell_refusal(const Entry& entry, std::string_view why);

  void want(Entry& entry);
  void give_up(Channels& channels, const std::string& channel);
  void forget_link(Channels& channels);
  void count_held();
  std::string name_on_redis(const Entry& entry) const;

  // The first pattern that covers `channel` and was not refused.
  const Pattern* pattern_of(std::string_view channel) const;
  bool belongs_on_server(const Entry& entry) const;
  void queue(Entry& entry);
  void send_patterns();
  void send_changes();
  static bool may_share_command(const Channel& one, const Channel& other);
  std::vector<Entry*> take_changes();
  std::vector<Entry*> take_changes(std::deque<Entry*>& changed);
  void conclude(Entry& entry);
  void erase(Entry& entry);
  void acknowledge(Entry& entry);
  void acknowledge_covered(std::string_view channel);
  void forget_acknowledgement(Entry& entry);
  void tell_idle();

  const RedisBusOptions& options_;
  BusListener& listener_;
  std::vector<Pattern> patterns_;
  Announcements* announcements_ = nullptr;
  std::string announced_before_;  // What stands before a channel's name where it is announced.
  Channels channels_;
  Channels announced_;  // The announcements of durable channels.
  // Redis may have to learn of these: of channels_, and of announced_. Each kind has commands of its own.
  std::deque<Entry*> changed_;
  std::deque<Entry*> changed_announced_;
  std::deque<Command> unanswered_;
  bool has_told_ = false;  // Told the listener something since its last on_idle().
  State state_;
  TimeTally round_trips_;
  RedisConnection connection_;
};

}  // namespace weir
