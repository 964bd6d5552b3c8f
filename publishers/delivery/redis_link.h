// One connection to Redis, logged in, over TLS if the URL says so: bytes out, replies in.
//
// hiredis resolves, connects and parses. The link moves the bytes itself: then its owner knows how much of a
// batch Redis can have seen when the connection breaks, and a stop ends any wait.
//
// Threads: one. Any other may request a stop.
// Limits:  64 KiB of a line that has not ended; one reply of open() and ask().
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "publishers/delivery/sink.h"
#include "publishers/delivery/tls_session.h"

struct redisContext;
struct redisReply;

namespace weir {

class RedisLink {
 public:
  using Clock = std::chrono::steady_clock;
  // Why the link goes no further. kUnknown: the connection broke, or no answer came in time; the link is still
  // open then and should be closed.
  using WhyNot = std::optional<BatchResult>;

  RedisLink(Target target, SinkOptions options);
  ~RedisLink();
  RedisLink(const RedisLink&) = delete;
  RedisLink& operator=(const RedisLink&) = delete;

  // While it lives, a stop ends each wait that is stoppable.
  class StopWatch {
   public:
    StopWatch(const RedisLink& link, const std::stop_token& stop);
    ~StopWatch();

   private:
    struct Wake {
      int fd;
      void operator()() const;
    };
    const int fd_;
    std::optional<std::stop_callback<Wake>> callback_;
  };

  bool is_open() const { return context_ != nullptr; }
  // Connects and logs in. If it can't, the link is closed.
  WhyNot open();
  void close();
  // Asks with a PING whether the other end is still there, if it was silent for long. A message sent into a
  // dead connection has an unknown outcome; a PING has none. If it is gone, the link is closed.
  WhyNot check();

  // One command that publishes nothing, and its reply. Anything but a reply closes the link, and nothing is
  // kUnknown.
  struct FreeReply {
    void operator()(redisReply* reply) const;
  };
  using Reply = std::unique_ptr<redisReply, FreeReply>;
  std::variant<Reply, BatchResult> ask(std::span<const std::string_view> words);

  // Waits for `events` of poll(); nullopt when they are there.
  WhyNot await(short events, Clock::time_point deadline, bool is_stoppable);
  // Waits for a time. False if a stop was requested.
  bool pause(std::chrono::milliseconds time) const;
  // Sends what the kernel takes now, and adds it to `sent`.
  WhyNot send(std::string_view bytes, std::size_t& sent);
  // Reads what has arrived, without waiting.
  WhyNot receive();
  // The next line of a reply, without its CRLF; nullopt if it is not all there. It is valid until receive().
  // For replies of one line each, which are most: hiredis takes memory for each of them.
  std::optional<std::string_view> next_line();

  BatchResult failure(Outcome outcome, const std::string& what) const;

 private:
  struct FreeContext {
    void operator()(redisContext* context) const;
  };
  WhyNot connect();
  WhyNot start_tls(Clock::time_point deadline);
  WhyNot log_in(const std::string& password);
  WhyNot await_reply(Reply& reply, Clock::time_point deadline);

  const Target target_;
  const SinkOptions options_;
  const int stop_fd_;  // An eventfd: readable while a stop is requested.
  std::unique_ptr<redisContext, FreeContext> context_;
  std::optional<TlsSession> tls_;  // Over context_'s socket.
  std::vector<char> input_;        // Received and not yet taken: from taken_ to received_.
  std::size_t taken_ = 0;
  std::size_t received_ = 0;
  Clock::time_point last_answer_{};
};

}  // namespace weir
