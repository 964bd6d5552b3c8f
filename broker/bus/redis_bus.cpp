// What Redis does to subscribers, and what weir does about it:
//
// - It cuts a subscriber that reads too slowly (client-output-buffer-limit pubsub 32mb 8mb 60), without a word
//   to it. So reading waits for nobody, and a cut is a loss like any other: on_lost().
// - It has no memory of subscribers: after each connect everything is subscribed again (redis_subscriber.h).
// - It refuses a SUBSCRIBE or PUBLISH that the ACL forbids: on_refused() and kForbidden. Other channels are not
//   concerned.
// - It accepts and says nothing while it is stopped, and answers LOADING or MASTERDOWN while it is not ready. So
//   a connect counts after a good first answer (redis_connection.h).
// - It confirms a PUBLISH by the number of subscribers; without that confirmation the outcome is unknown
//   (redis_publisher.h).
#include "broker/bus/redis_bus.h"

#include <asio/ip/tcp.hpp>
#include <atomic>
#include <cassert>
#include <utility>
#include <vector>

#include "broker/bus/bus_thread.h"
#include "broker/bus/job_queue.h"
#include "broker/bus/redis_publisher.h"
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
        publisher_(thread_.io(), options_, queue_) {}

  ~RedisBus() override { RedisBus::stop(); }

  void start() override {
    start_resolver();
    asio::post(thread_.io(), [this] {
      subscriber_.open();
      publisher_.open();
    });
    thread_.start();
  }
  void stop() override {
    thread_.stop([this] {
      subscriber_.close();
      publisher_.close();
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
    if (!state.is_connected) {
      state.why_not = subscriber_.why_not_up();
      if (state.why_not.empty()) state.why_not = publisher_.why_not_up();
    }
    return state;
  }

 private:
  // asio resolves names on a thread that it starts for the first one. Here: that there is none can be said as
  // the program starts, and not in the middle of an outage.
  void start_resolver() {
    if (!options_.url.path.empty()) return;
    asio::ip::tcp::resolver resolver(thread_.io());
    start_or_end("weir-resolver", [&] {
      resolver.async_resolve("127.0.0.1", "0", asio::ip::resolver_base::numeric_host, [](auto&&...) {});
    });
  }

  // All that was asked for since the last time, then one write per connection.
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
      }
    }
    jobs_.clear();
    subscriber_.settle();
    publisher_.flush();
  }

  const RedisBusOptions options_;
  BusThread thread_;
  JobQueue queue_;
  RedisSubscriber subscriber_;
  RedisPublisher publisher_;
  std::vector<BusJob> jobs_;  // Those in hand, kept for its memory.
};

}  // namespace

std::unique_ptr<Bus> make_redis_bus(RedisBusOptions options, BusListener& listener) {
  return std::make_unique<RedisBus>(std::move(options), listener);
}

}  // namespace weir
