// Something that takes messages: a Redis or a gateway. It says exactly what became of each message and leaves
// it to the Publisher what to do about that.
//
// Threads:   one; a stop may be requested from any other thread.
// Ownership: a sink owns its one connection, which it opens when it is first needed and again after it was
// lost.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <stop_token>
#include <string>

#include "publishers/delivery/target.h"
#include "redis/redis_files.h"

namespace weir {

// Why a batch came to its end.
enum class Outcome {
  kPublished,  // All of it is confirmed.
  kFailed,  // What is not confirmed is known not to have been published (connection refused, 503): try again.
  kUnknown,  // Something was sent and no answer came (connection lost, timeout, 504): it may have been
             // published.
  kRefused,  // The peer will say the same again (no permission, a bad channel): don't try again.
  kStopped,  // A stop was requested.
};

// What became of a batch, in its order: `confirmed` messages are published, of the next `unknown` ones nobody
// knows, and the rest is known not to have been published.
struct BatchResult {
  Outcome outcome = Outcome::kPublished;
  std::size_t confirmed = 0;
  std::size_t unknown = 0;
  std::string error;  // One line, without passwords; empty for kPublished and kStopped.
};

class Sink {
 public:
  virtual ~Sink() = default;
  // Publishes `payloads` in order. Requires at least one, and a channel name (channel_name.h).
  virtual BatchResult publish(const std::string& channel, std::span<const std::string> payloads,
                              const std::stop_token& stop) = 0;
  // Publishes the end of the channel.
  virtual BatchResult publish_end(const std::string& channel, const std::stop_token& stop) = 0;
};

// Settings, which have their defaults in CommonSettings (program.h).
struct SinkOptions {
  std::string redis_prefix;           // Put before every channel name on the Redis side.
  RedisFiles redis_files = {};        // For a Redis; read again for each connection.
  std::string token_file = {};        // For a gateway: the file with the token; empty for none.
  std::chrono::milliseconds timeout;  // For a connect, and for an answer.
};

std::unique_ptr<Sink> make_sink(const Target& target, const SinkOptions& options);

}  // namespace weir
