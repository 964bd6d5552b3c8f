// The publisher connection: PUBLISH commands, and FCALLs of weir_publish for durable channels, pipelined, their replies
// matched in order.
//
// Where Redis has not got the function, it is installed (set_installer()), and what was refused for that is sent once
// more. It is installed when all that was sent is answered, and durable messages that come meanwhile wait: so their
// order stays, unless another gateway installs it in just that moment.
//
// Failures:  kUnavailable at once while the connection is away; nothing was sent. kUnavailable also if Redis
//            refuses for now (BUSY, LOADING), kForbidden if an ACL refuses, kTooLarge for a
//            message beyond Redis' own limit, kRefused if Redis refuses for
//            another reason. kUnknown without a reply within
//            publish_timeout, or if the connection is lost first: Redis may have the message. A connection
//            that is late once is taken to hang, and is closed.
// Threads:   any for is_up(), was_ever_up(), why_not_up() and round_trips(); the bus thread for everything else.
// Ownership: the queue, which counts the waiting publishes, outlives this object.
// Limits:    those of the JobQueue. A durable message is held twice while it is written.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "broker/base/tally.h"
#include "broker/bus/function_installer.h"
#include "broker/bus/job_queue.h"
#include "broker/bus/redis_connection.h"

namespace weir {

class RedisPublisher : private RedisConnection::Owner {
 public:
  RedisPublisher(asio::io_context& io, const RedisBusOptions& options, JobQueue& queue);

  // Installs weir_publish, as FunctionInstaller::ensure(). Without one a missing function is kUnavailable at once.
  // Call it before open().
  using Install = std::function<void(FunctionInstaller::Done)>;
  void set_installer(Install install) { install_ = std::move(install); }
  void open() { connection_.open(); }
  // Publishes without a reply complete as kUnknown.
  void close();
  // Queues one message; flush() writes the queue.
  void publish(BusJob job);
  void flush() { connection_.flush(); }

  bool is_up() const { return is_up_; }
  bool was_ever_up() const { return was_ever_up_; }
  std::string why_not_up() const { return connection_.why_not_up(); }
  // From each command to its answer.
  const TimeTally& round_trips() const { return round_trips_; }

 private:
  struct Waiting {  // A command that waits for its reply.
    bool is_ping = false;
    std::size_t payload_bytes = 0;
    std::chrono::steady_clock::time_point sent;
    Bus::PublishDone done = {};
    std::unique_ptr<BusJob> durable = {};  // With its payload, to send it once more.
    bool is_repeat = false;
  };

  void on_up() override { is_up_ = was_ever_up_ = true; }
  void on_reply(const redisReply& reply) override;
  void on_read() override {}
  void on_ping_due() override;
  void on_written() override {}
  void on_down() override;

  void publish_durable(Waiting waiting);
  void on_durable_reply(Waiting waiting, const redisReply& reply);
  void install_if_all_answered();
  std::deque<Waiting> take_held();
  void on_installed(const std::string& why_not);
  void complete(Waiting waiting, PublishResult result);
  void abandon_all(PublishOutcome outcome, const char* why);
  void watch_deadline();

  const RedisBusOptions& options_;
  JobQueue& queue_;
  Install install_;
  std::deque<Waiting> waiting_;
  // Durable messages that wait for the function: those that were refused for its lack, and those behind them.
  std::deque<Waiting> refused_;
  std::deque<Waiting> parked_;
  std::size_t durable_under_way_ = 0;  // Of waiting_.
  bool is_holding_ = false;            // The function was missing: durable messages are parked.
  bool is_installing_ = false;         // on_installed() follows.
  TimeTally round_trips_;
  std::string name_;  // Prefix and channel of the publish in hand, kept for its memory.
  asio::steady_timer deadline_timer_;
  bool is_watching_ = false;
  std::atomic<bool> is_up_ = false;
  std::atomic<bool> was_ever_up_ = false;
  RedisConnection connection_;
};

}  // namespace weir
