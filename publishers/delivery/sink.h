// A receiver of messages: a Redis or a gateway. It reports what became of each message, and the Publisher
// decides what to do about it.
//
// Threads:   one. Any other may request a stop.
// Ownership: a sink owns its one connection. It opens it at first use and again after a loss.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>

#include "publishers/delivery/target.h"
#include "redis/redis_files.h"

namespace weir {

// How a batch ended.
enum class Outcome {
  // All of it is confirmed.
  kPublished,
  // The rest was certainly not published (connection refused, 503): try again.
  kFailed,
  // Something was sent and no answer came (connection lost, timeout, 504): it may have been published.
  kUnknown,
  // The peer would repeat its answer (no permission, a bad channel): don't try again.
  kRefused,
  // The next message is larger than the peer takes. What follows it may still be published.
  kTooLarge,
  // A stop was requested.
  kStopped,
};

// What became of a batch, in order: the first `confirmed` messages are published, the next `unknown` ones may
// be, and the rest is not.
struct BatchResult {
  Outcome outcome = Outcome::kPublished;
  std::size_t confirmed = 0;
  std::size_t unknown = 0;
  std::string error;  // One line, without passwords; empty for kPublished and kStopped.
};

// What a sink may do once while it waits for answers.
using WhileWaiting = std::function<void()>;

class Sink {
 public:
  virtual ~Sink() = default;
  // Publishes `payloads` in order. Requires at least one, and a channel name (channel_name.h). A sink that
  // sends several messages before it reads their answers calls `while_waiting`, unless it is empty, once all
  // are sent.
  virtual BatchResult publish(const std::string& channel, std::span<const std::string> payloads,
                              const std::stop_token& stop, const WhileWaiting& while_waiting) = 0;
  // Publishes the end of the channel.
  virtual BatchResult publish_end(const std::string& channel, const std::stop_token& stop) = 0;
};

// Settings. CommonSettings (program.h) holds their defaults.
struct SinkOptions {
  std::string redis_prefix;           // Put before every channel name on the Redis side.
  RedisFiles redis_files = {};        // For a Redis; read again for each connection.
  std::string token_file = {};        // For a gateway: the file with the token; empty for none.
  std::chrono::milliseconds timeout;  // For a connect, and for an answer.

  // Not settings: tests lower them.
  // Redis takes no longer word, unless its proto-max-bulk-len is raised.
  std::size_t message_bytes_max = 512 << 20;
  // How long to wait in all, after a reconnect, for the subscribers of the lost connection.
  std::chrono::milliseconds subscribers_wait{5'000};
};

std::unique_ptr<Sink> make_sink(const Target& target, const SinkOptions& options);

}  // namespace weir
