// The half of RedisBus that is about streams. For durable channels it brings together the subscriber, which hears
// announcements, and the history connection, which reads: a channel is subscribed while both are there. Followed
// channels are StreamFollower's.
//
// Threads:   those of Streams for its functions; set_listener() before the bus starts; collect() any; the bus thread for everything
//            else.
// Ownership: queue, subscriber and listener outlive this object.
// Limits:    channels_ as RedisSubscriber::channels_.
#pragma once

#include <asio/io_context.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "broker/base/keyed_hash.h"
#include "broker/base/tally.h"
#include "broker/bus/job_queue.h"
#include "broker/bus/redis_history.h"
#include "broker/bus/redis_subscriber.h"
#include "broker/bus/stream_follower.h"
#include "broker/bus/streams.h"

namespace weir {

class MetricsPage;

class RedisStreams : public Streams, private RedisSubscriber::Announcements {
 public:
  RedisStreams(asio::io_context& io, const RedisBusOptions& options, JobQueue& queue,
               RedisSubscriber& subscriber, RedisHistory::OnIdle on_idle);

  // Streams. All of it but follow() goes through the queue.
  void set_listener(StreamListener& listener) override;
  void subscribe(std::string channel, StreamSource source) override;
  void unsubscribe(std::string channel) override;
  void publish(DurableMessage message, Bus::PublishDone done) override;
  void read(StreamRead read, ReadDone done) override;
  void follow(std::string_view channel, StreamId after) override;

  void open() { history_.open(); }
  void close();
  // A job of the queue: of a kind that is for streams, and no publish.
  void do_job(BusJob job);
  // Call it after a batch of jobs: sends what they ask for.
  void flush();

  // As FunctionInstaller::ensure().
  void ensure_function(FunctionInstaller::Done done) { history_.ensure_function(std::move(done)); }
  // Followed channels that are wanted, and of these, the subscribed ones.
  std::uint64_t wanted() const { return follower_ ? follower_->wanted() : 0; }
  std::uint64_t subscribed() const { return follower_ ? follower_->subscribed() : 0; }
  // Those that take memory.
  std::uint64_t held() const { return follower_ ? follower_->held() : 0; }
  void collect(MetricsPage& page) const;

 private:
  struct Channel {  // A durable one.
    bool is_announced = false;
    bool is_told = false;     // The listener knows that it is subscribed.
    bool is_looking = false;  // Reads its newest entry, since the announcement was far too large.
  };
  using Channels = NameMap<Channel>;

  void on_announcing(std::string_view channel) override;
  void on_announcing_refused(std::string_view channel, std::string_view why) override;
  void on_announcement(std::string_view channel, const redisReply& text) override;
  void on_announcements_lost() override;
  void on_readable(bool is_readable);
  void on_history_idle();

  void tell_if_subscribed(Channels::value_type& entry);
  void tell_lost(Channels::value_type& entry);
  void look_for_newest(Channels::value_type& entry);
  void start(std::string channel, StreamSource source);
  void end(const std::string& channel);

  asio::io_context& io_;
  const RedisBusOptions& options_;
  JobQueue& queue_;
  RedisSubscriber& subscriber_;
  const RedisHistory::OnIdle on_idle_;
  StreamListener* listener_ = nullptr;
  Channels channels_;
  RedisHistory history_;
  std::optional<StreamFollower> follower_;
  bool is_owed_readable_ = false;  // Reads were refused since too many waited.
  bool has_told_ = false;
  bool has_logged_ = false;  // A line of an announcement that was none.
  Tally invalid_;
};

}  // namespace weir
