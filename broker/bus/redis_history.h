// The history connection: reads streams, and keeps the function of durable channels installed
// (function_installer.h). Reading never stands in front of publishing or of what arrives.
//
// Failures:  kAway at once while the connection is away, or until it has looked for the function; kRefused if Redis
//            refuses and goes on (an ACL, a key that is no stream). A read that has no answer within publish_timeout
//            closes the connection, and what waits is kAway.
// Threads:   any for reads() and round_trips(); the bus thread for everything else.
// Ownership: the queue, which counts the waiting reads, and what `on_readable` refers to outlive this object.
// Limits:    those of the JobQueue; kReadsUnderWayMax of the reads are with Redis, so that it holds no more pages
//            than these for this gateway. An entry past BusLimits::message_bytes_max is never collected.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/tally.h"
#include "broker/bus/function_installer.h"
#include "broker/bus/job_queue.h"
#include "broker/bus/redis_connection.h"

namespace weir {

class RedisHistory : private RedisConnection::Owner {
 public:
  static constexpr std::size_t kReadsUnderWayMax = 32;

  // Streams can be read, or no longer: called at each change.
  using OnReadable = std::function<void(bool)>;
  // Everything from one read of the connection has been handed over.
  using OnIdle = std::function<void()>;

  RedisHistory(asio::io_context& io, const RedisBusOptions& options, JobQueue& queue, OnReadable on_readable,
               OnIdle on_idle);

  void open() { connection_.open(); }
  // Waiting reads complete as kAway. No call of on_readable follows.
  void close();
  bool is_readable() const { return is_readable_; }
  // Queues one read; flush() writes the queue.
  void read(StreamRead read, Streams::ReadDone done);
  void flush();

  // As FunctionInstaller::ensure(). It fails at once while the connection is away.
  void ensure_function(FunctionInstaller::Done done);

  // Reads that Redis has answered.
  const Tally& reads() const { return reads_; }
  const FunctionInstaller::Counts& installs() const { return installer_.counts(); }
  const TimeTally& round_trips() const { return round_trips_; }

 private:
  using Answered = FunctionInstaller::Answered;
  struct Question {
    std::chrono::steady_clock::time_point sent;
    Answered on_answer;
  };
  struct Waiting {
    StreamRead read;
    Streams::ReadDone done;
  };
  struct UnderWay;

  void on_up() override;
  void on_reply(const redisReply& reply) override;
  void on_read() override;
  void on_ping_due() override;
  void on_written() override {}
  void on_down() override;

  void ask(const std::vector<std::string_view>& words, Answered on_answer);
  void set_readable(bool is_readable);
  void look_at_memory(const redisReply* reply);
  void send_reads();
  void send(Waiting waiting);
  void on_part(UnderWay& under_way, const redisReply* reply, bool is_end);
  void complete(const Streams::ReadDone& done, StreamReadResult result);
  void abandon_all(const char* why);
  void watch_deadline();

  const RedisBusOptions& options_;
  JobQueue& queue_;
  const OnReadable on_readable_;
  const OnIdle on_idle_;
  FunctionInstaller installer_;
  std::deque<Question> questions_;
  std::chrono::steady_clock::time_point last_answer_;
  std::deque<Waiting> waiting_;  // Reads that are not with Redis yet.
  std::size_t reads_under_way_ = 0;
  bool is_readable_ = false;
  std::string warned_policy_;  // The maxmemory-policy that was warned of.
  Tally reads_;
  TimeTally round_trips_;
  asio::steady_timer deadline_timer_;
  bool is_watching_ = false;
  RedisConnection connection_;
};

}  // namespace weir
