// How Redis treats subscribers, and how weir answers:
//
// - It cuts off a subscriber that reads too slowly (client-output-buffer-limit pubsub 32mb 8mb 60), without
//   telling it. So reading waits for nobody, and a cut is a loss like any other: on_lost().
// - It has no memory of subscribers, so weir subscribes to everything again after each connect
//   (redis_subscriber.h).
// - It refuses a SUBSCRIBE or PUBLISH that the ACL forbids: on_refused() and kForbidden. Other channels
//   continue.
// - While stopped, it accepts connections and says nothing; while not ready, it answers LOADING or
//   MASTERDOWN. So a connect counts only after a good first answer (redis_connection.h).
// - It keeps the history of durable channels and followed streams, which a third connection reads
//   (redis_history.h, redis_streams.h). That one may be away while the others are not.
// - It confirms a PUBLISH with the number of subscribers. Without that reply the outcome is unknown
//   (redis_publisher.h).
#include "broker/bus/redis_bus.h"

#include <asio/ip/tcp.hpp>
#include <atomic>
#include <cassert>
#include <optional>
#include <utility>
#include <vector>

#include "broker/base/metrics.h"
#include "broker/bus/bus_thread.h"
#include "broker/bus/job_queue.h"
#include "broker/bus/redis_publisher.h"
#include "broker/bus/redis_streams.h"
#include "broker/bus/redis_subscriber.h"
#include "process/thread.h"

namespace weir {
namespace {

class RedisBus : public Bus {
 public:
  RedisBus(RedisBusOptions options, BusListener& listener)
      : options_(std::move(options)),
        queue_(options_.limits, [this] { asio::post(thread_.io(), [this] { do_jobs(); }); }),
        subscriber_(thread_.io(), options_, listener),
        publisher_(thread_.io(), options_, queue_) {
    if (!options_.has_streams) return;
    streams_.emplace(thread_.io(), options_, queue_, subscriber_, [&listener] { listener.on_idle(); });
    if (!options_.installs_function) return;
    publisher_.set_installer([this](auto done) { streams_->ensure_function(std::move(done)); });
  }

  ~RedisBus() override { RedisBus::stop(); }

  void start() override {
    start_resolver();
    asio::post(thread_.io(), [this] {
      subscriber_.open();
      publisher_.open();
      if (streams_) streams_->open();
    });
    thread_.start();
  }
  void stop() override {
    thread_.stop([this] {
      subscriber_.close();
      publisher_.close();
      if (streams_) streams_->close();
      queue_.close();
    });
  }

  void subscribe(std::string channel) override { queue_.subscribe(std::move(channel)); }
  void unsubscribe(std::string channel) override { queue_.unsubscribe(std::move(channel)); }
  void record(std::string pattern) override {
    assert(!thread_.is_running());
    subscriber_.record(std::move(pattern));
  }
  void publish(std::string channel, std::string payload, PublishDone done) override {
    queue_.publish(std::move(channel), std::move(payload), std::move(done));
  }

  Streams* streams() override { return streams_ ? &*streams_ : nullptr; }

  BusState state() const override {
    BusState state;
    state.kind = BusKind::kRedis;
    state.is_receiving = subscriber_.state().is_up;
    state.is_connected = state.is_receiving && publisher_.is_up();
    state.was_ever_connected = subscriber_.state().was_ever_up && publisher_.was_ever_up();
    state.wanted = subscriber_.state().wanted;
    state.acknowledged = subscriber_.state().acknowledged;
    state.subscriptions_held = subscriber_.state().held + queue_.subscriptions_waiting();
    state.reconnects = subscriber_.state().losses;
    state.publishes_waiting = queue_.publishes_waiting();
    if (streams_) {
      state.wanted += streams_->wanted();
      state.acknowledged += streams_->subscribed();
      state.subscriptions_held += streams_->held();
    }
    if (!state.is_connected) {
      state.why_not = subscriber_.why_not_up();
      if (state.why_not.empty()) state.why_not = publisher_.why_not_up();
    }
    return state;
  }

  void collect(MetricsPage& page) const override {
    page.add(Metric::kRedisRoundTrip, subscriber_.round_trips(), "subscriber");
    page.add(Metric::kRedisRoundTrip, publisher_.round_trips(), "publisher");
    if (streams_) streams_->collect(page);
  }

 private:
  // asio starts a thread for the first name it resolves. Resolve one now: if the thread can't be started, the
  // program says so at its start, not in the middle of an outage.
  void start_resolver() {
    if (!options_.url.path.empty()) return;
    asio::ip::tcp::resolver resolver(thread_.io());
    start_or_end("weir-resolver", [&] {
      resolver.async_resolve("127.0.0.1", "0", asio::ip::resolver_base::numeric_host, [](auto&&...) {});
    });
  }

  // Does all jobs since the last time, then one write per connection.
  void do_jobs() {
    queue_.take(jobs_);
    for (BusJob& job : jobs_) {
      switch (job.kind) {
        case BusJob::Kind::kSubscribe:
          subscriber_.subscribe(std::move(job.channel));
          break;
        case BusJob::Kind::kUnsubscribe:
          subscriber_.unsubscribe(job.channel);
          break;
        case BusJob::Kind::kPublish:
          publisher_.publish(std::move(job));
          break;
        case BusJob::Kind::kDecided:
          job.done(std::move(job.result));
          break;
        case BusJob::Kind::kSubscribeStream:
        case BusJob::Kind::kUnsubscribeStream:
        case BusJob::Kind::kRead:
        case BusJob::Kind::kReadRefused:
          streams_->do_job(std::move(job));
          break;
      }
    }
    jobs_.clear();
    if (streams_) streams_->flush();
    subscriber_.settle();
    publisher_.flush();
  }

  const RedisBusOptions options_;
  BusThread thread_;
  JobQueue queue_;
  RedisSubscriber subscriber_;
  RedisPublisher publisher_;
  std::optional<RedisStreams> streams_;
  std::vector<BusJob> jobs_;  // The jobs in hand, kept for its memory.
};

}  // namespace

std::unique_ptr<Bus> make_redis_bus(RedisBusOptions options, BusListener& listener) {
  return std::make_unique<RedisBus>(std::move(options), listener);
}

}  // namespace weir
