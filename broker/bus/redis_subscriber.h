// The subscriber connection: which channels are wanted, and what Redis has been told of it.
//
// The set of wanted channels is the one truth. Redis is told of a channel when what was last sent for it
// differs from what is wanted, and all of it again after each connect. Redis answers every SUBSCRIBE and
// UNSUBSCRIBE in order, so a channel's state is known when no command of it is without its answer; only then
// on_subscribed() is told. That makes any order of subscribe and unsubscribe come out right, with no waiting
// in between.
//
// Patterns given to record() are asked for first. A channel that one of them covers is not asked for by name
// as well: it would come twice. Where several patterns cover a channel, the first one in order counts.
//
// Threads:   the counters of state() and why_not_up() any thread, record() before open(), everything else on
// the bus thread. Ownership: the listener outlives this object. Limits:    kUnsentBytesMax of commands are on
// their way at a time, whatever the number of channels.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/base/keyed_hash.h"
#include "broker/bus/redis_connection.h"

namespace weir {

class RedisSubscriber : private RedisConnection::Owner {
 public:
  struct State {
    std::atomic<bool> is_up = false;
    std::atomic<bool> was_ever_up = false;
    std::atomic<std::uint64_t> wanted = 0;
    std::atomic<std::uint64_t> acknowledged = 0;
    std::atomic<std::uint64_t> held = 0;  // Channels: also those that were given up and not answered for yet.
    std::atomic<std::uint64_t> losses = 0;
  };

  RedisSubscriber(asio::io_context& io, const RedisBusOptions& options, BusListener& listener);

  void record(std::string pattern);
  void open() { connection_.open(); }
  void close();
  void subscribe(std::string channel);
  void unsubscribe(const std::string& channel);
  // After a batch of the above: sends what has changed.
  void settle();

  const State& state() const { return state_; }
  std::string why_not_up() const { return connection_.why_not_up(); }

 private:
  struct Channel {
    bool is_wanted = false;
    bool is_acknowledged = false;  // The listener was told.
    bool is_on_server = false;     // What the last command sent for it asks for.
    bool is_queued = false;        // In changed_.
    bool is_sent_alone = false;    // It was in a SUBSCRIBE of many that was refused as a whole.
    std::uint32_t unanswered = 0;  // Commands sent for it that have no answer yet.
  };
  using Channels = NameMap<Channel>;
  using Entry = Channels::value_type;  // Stays where it is: the map's nodes don't move.

  struct Pattern {
    std::string text;      // As given to record().
    std::string on_redis;  // Prefixed; escaped, if it is a glob.
    bool is_glob = false;  // Without a "*" it is a channel's name, and SUBSCRIBEd.
    bool is_acknowledged = false;
    bool is_refused = false;
  };
  struct Command {
    enum class Kind { kSubscribe, kUnsubscribe, kPattern, kPing };
    Kind kind = Kind::kPing;
    std::vector<Entry*> channels;  // Answered one by one, in this order.
    std::size_t answered = 0;
    std::size_t pattern = 0;
  };

  void on_up() override;
  void on_reply(const redisReply& reply) override;
  void on_read() override;
  void on_ping_due() override;
  void on_written() override { send_changes(); }
  void on_down() override;

  void deliver(std::string_view name, const redisReply& payload, std::optional<std::string_view> glob);
  void on_acknowledgement(std::string_view kind, std::string_view name);
  void on_error(std::string_view text);
  void on_pattern_acknowledged(Pattern& pattern);
  void on_pattern_refused(Pattern& pattern, std::string_view why);
  void on_channels_refused(const Command& command, std::string_view why);

  // The first pattern that covers `channel` and was not refused.
  const Pattern* pattern_of(std::string_view channel) const;
  bool belongs_on_server(const Entry& entry) const;
  void queue(Entry& entry);
  void send_patterns();
  void send_changes();
  std::vector<Entry*> take_changes();
  void conclude(Entry& entry);
  void erase(Entry& entry);
  void acknowledge(Entry& entry);
  void acknowledge_covered(std::string_view channel);
  void forget_acknowledgement(Entry& entry);
  void tell_idle();

  const RedisBusOptions& options_;
  BusListener& listener_;
  std::vector<Pattern> patterns_;
  Channels channels_;
  std::deque<Entry*> changed_;  // Where what is wanted may differ from what Redis was told.
  std::deque<Command> unanswered_;
  bool has_told_ = false;  // The listener, since its last on_idle().
  State state_;
  RedisConnection connection_;
};

}  // namespace weir
