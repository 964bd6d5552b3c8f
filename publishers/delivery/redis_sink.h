// PUBLISH over one connection to Redis, pipelined within a batch.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "publishers/delivery/sink.h"
#include "publishers/delivery/tls_session.h"

struct redisContext;

namespace weir {

// hiredis resolves, connects and parses. The sink moves the bytes itself, over TLS if the URL says so: then
// it knows how much of a batch Redis can have seen when the connection breaks, and a stop ends any wait.
class RedisSink : public Sink {
 public:
  RedisSink(Target target, SinkOptions options);
  ~RedisSink() override;

  BatchResult publish(const std::string& channel, std::span<const std::string> payloads,
                      const std::stop_token& stop, const WhileWaiting& while_waiting) override;
  BatchResult publish_end(const std::string& channel, const std::stop_token& stop) override;

 private:
  using Clock = std::chrono::steady_clock;
  using Arguments = std::vector<std::string_view>;
  struct FreeContext {
    void operator()(redisContext* context) const;
  };
  // A pipeline of commands and what has become of them.
  struct Exchange {
    BatchResult result;
    std::vector<std::size_t> ends;  // Where each command ends in `bytes`.
    std::string bytes;
    std::size_t sent = 0;
    bool is_last = false;             // A stop was requested after something was sent.
    bool is_login = false;            // For login_commands() or a PING, not for messages.
    WhileWaiting while_waiting = {};  // Called and forgotten once everything is sent.
  };

  // Each returns nullopt if it succeeded, else the reason.
  std::optional<BatchResult> connect(const std::stop_token& stop);
  std::optional<BatchResult> open_connection(const std::string& password);
  std::optional<BatchResult> await_connected(Clock::time_point deadline);
  std::optional<BatchResult> start_tls(Clock::time_point deadline);
  std::optional<BatchResult> greet(const std::string& password);
  std::optional<BatchResult> check_idle_connection();
  // On a new connection: waits until it has as many subscribers as the lost one had, at most 5 s.
  std::optional<BatchResult> await_subscribers(const std::string& name);

  static void append(Exchange& exchange, const Arguments& arguments);
  // Sends the commands and reads their replies.
  BatchResult run(Exchange exchange);
  std::optional<BatchResult> send_some(Exchange& exchange);
  std::optional<BatchResult> receive();
  std::optional<BatchResult> take_replies(Exchange& exchange);
  // Waits for `events`; nullopt when they are there.
  std::optional<BatchResult> await(short events, Clock::time_point deadline, bool is_stoppable);
  // Ends an exchange that broke: counts the unknown messages and closes the connection.
  BatchResult broken(const Exchange& exchange, BatchResult why);
  void disconnect();
  BatchResult failure(Outcome outcome, const std::string& what) const;

  const Target target_;
  const SinkOptions options_;
  const int stop_fd_;  // An eventfd: readable while a stop is requested.
  std::unique_ptr<redisContext, FreeContext> context_;
  std::optional<TlsSession> tls_;  // Over context_'s socket.
  Clock::time_point last_reply_{};
  long long subscribers_ = 0;  // The channel's, by the last answer.
};

}  // namespace weir
