// Brings the entries of followed streams, which an application fills by XADD, as they come.
//
// Streams wait for news in groups, each in one XREAD BLOCK on a connection of its own (stream_group.h). A
// stream with news leaves its group and is read by itself, without BLOCK, on one more connection
// (stream_poller.h) until it is dry. Then it joins the young group, as new streams do. So the streams that
// are often busy come together in the young group, which Redis wakes often and cheaply, while the other
// groups sleep. A young group that is full becomes an old one; an old one that has lost most of its members
// becomes the young one, or gives the rest to it. While a stream waits for the young group's next turn it is
// read by itself, so nothing depends on the length of a wait.
//
// Everything that acts on its own goes by one beat of 20 ms. It runs only while something waits for it.
//
// A loss: entries have ids, so the loss of a group's connection is none. Its members are looked at, and read
// by themselves until they have a group again. Only the loss of the poller's connection is told, for all
// streams.
//
// A stream that is trimmed faster than it is read has a hole behind what was read last. What is behind the
// hole is not given to the listener: the stream is told as lost and subscribed again, and the listener finds
// the hole as it reads on. So a group or a probe only finds out that there is news, and each read proves that
// it is whole (stream_poller.h).
//
// A stream that was made anew, with lower ids, would be silent for ever. So XINFO STREAM is asked for each
// stream on connect and every RedisBusOptions::stream_look_interval. One that was made anew is told as lost
// and subscribed again: the listener reads its tail and finds its end lower.
//
// Threads:   any for wanted(), subscribed(), held(), why_not_up() and collect(), the bus thread for
//            everything else.
// Ownership: options and listener outlive this object, which is destroyed after the io_context has stopped.
//            The listener's functions may call subscribe(), unsubscribe() and follow().
// Limits:    kFollowConnectionsMax connections, and none without a stream; an empty group closes its connection
//            after a while. A group has at most kGroupStreams members, and more only where the streams don't
//            fit otherwise. Streams without a group are read kPollsPerBeat a beat.
// Rights:    +xread and +xinfo|stream on the keys.
#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/keyed_hash.h"
#include "broker/base/tally.h"
#include "broker/bus/followed_stream.h"
#include "broker/bus/redis_bus.h"
#include "broker/bus/stream_group.h"
#include "broker/bus/stream_poller.h"
#include "broker/bus/streams.h"

namespace weir {

class MetricsPage;

class StreamFollower : private StreamPoller::Host, private StreamGroup::Host {
 public:
  static constexpr std::size_t kGroupsMax = kFollowConnectionsMax - 1;
  static constexpr std::size_t kGroupStreams = 100;
  static constexpr std::size_t kPollsPerBeat = 200;
  static constexpr std::chrono::milliseconds kBeat{20};

  StreamFollower(asio::io_context& io, const RedisBusOptions& options, StreamListener& listener);

  // As Streams' functions. subscribe() again means: look at it, and tell on_stream_subscribed(), again.
  void subscribe(std::string channel, StreamSource source);
  void unsubscribe(std::string_view channel);
  void follow(std::string_view channel, StreamId after);
  // No call of the listener follows.
  void close();

  std::uint64_t wanted() const { return wanted_.value(); }
  std::uint64_t subscribed() const { return subscribed_.value(); }
  // Streams in memory: the wanted ones, and those given up of which a command waits.
  std::uint64_t held() const { return wanted() + poller_.commands_waiting(); }
  std::string why_not_up() const { return poller_.why_not_up(); }
  void collect(MetricsPage& page) const;

 private:
  using Phase = FollowedStream::Phase;
  using StreamPtr = std::shared_ptr<FollowedStream>;

  void on_poller_up() override;
  void on_poller_down() override;
  void on_probed(const StreamTurn& turn, bool has_news) override;
  void on_polled(const StreamTurn& turn, StreamBatch batch) override;
  void on_checked(const StreamTurn& turn, StreamBatch batch, const StreamLook& known,
                  const StreamLook& look) override;
  void on_looked(const StreamTurn& turn, const StreamLook& known, const StreamLook& look) override;
  void on_refused(const StreamTurn& turn, std::string_view why) override;
  void on_group_idle(StreamGroup& group, std::vector<StreamTurn> news) override;
  void on_group_refused(StreamGroup& group, std::vector<StreamTurn> members) override;
  void on_group_down(StreamGroup& group, std::vector<StreamTurn> members) override;

  StreamPtr find(std::string_view channel) const;
  void look_first(const StreamPtr& stream);
  void set_phase(FollowedStream& stream, Phase phase);
  void erase(const StreamPtr& stream);
  void tell_subscribed(const StreamPtr& stream);
  void begin_anew(const StreamPtr& stream, const StreamLook& look);
  void tell_hole(const StreamPtr& stream);
  // Gives the entries to the listener, and the stream its next place.
  void deliver(const StreamTurn& turn, StreamBatch batch);
  void wait_for_group(StreamTurn turn);

  void arm_beat();
  void beat();
  bool needs_beat() const;
  void poll_waiting();
  void advance(StreamGroup& group);
  void fill(StreamGroup& young);
  void choose_young();
  std::size_t capacity() const;
  void ask(StreamGroup& group);
  void release(std::vector<StreamTurn> members);
  void open_group(StreamGroup& group);
  void close_group(StreamGroup& group);
  void close_groups();
  void close_spare_groups();
  void close_connections();
  std::size_t open_groups() const;

  void arm_looks();
  void look_at_some();

  asio::io_context& io_;
  const RedisBusOptions& options_;
  StreamListener& listener_;
  NameMap<StreamPtr> streams_;
  std::deque<StreamTurn> waiting_;                    // For the young group. They were dry when they came.
  std::vector<std::unique_ptr<StreamGroup>> groups_;  // Closed ones are kept, for the next use.
  StreamGroup* young_ = nullptr;                      // Of groups_; null if the next one is not chosen yet.
  std::deque<StreamPtr> to_look_;                     // What is left of this round.
  std::size_t looks_per_step_ = 0;
  std::chrono::steady_clock::time_point no_group_before_;  // After a refusal.
  asio::steady_timer beat_timer_;
  asio::steady_timer look_timer_;
  bool is_beating_ = false;
  bool is_closed_ = false;

  Tally wanted_;
  Tally subscribed_;
  Tally connections_;
  Tally group_asks_;
  Tally made_anew_;
  StreamPoller poller_;
};

}  // namespace weir
