// A receiver of messages: a Redis or a gateway. It reports what became of each message, and the Publisher
// decides what to do about it.
//
// Threads:   one. Any other may request a stop.
// Ownership: a sink owns its one connection. It opens it at first use and again after a loss.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "publishers/delivery/target.h"
#include "redis/publish_function.h"
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

// How much of a durable channel its stream keeps, as redis/weir.lua has it. The defaults are the function's.
struct DurableLimits {
  std::uint64_t messages = kPublishMessages;
  std::uint64_t seconds = kPublishSeconds;  // After the last message; 0: for ever.
  bool operator==(const DurableLimits&) const = default;
};

// What became of a batch, in order: the first `confirmed` messages are published, the next `unknown` ones may
// be, and the rest is not.
struct BatchResult {
  Outcome outcome = Outcome::kPublished;
  std::size_t confirmed = 0;
  std::size_t unknown = 0;
  std::size_t known = 0;  // Of the confirmed ones: a message with the same key was there already.
  std::string error;      // One line, without passwords; empty for kPublished and kStopped.
};

// Messages in their order. Refers to them.
class Messages {
 public:
  // `keys` is empty, or holds the idempotency key of each message: at most 256 printable characters of ASCII. A durable
  // channel takes one message under a key, whatever is sent again (docs/publishers.md); any other ignores it.
  Messages(std::span<const std::string> payloads, std::span<const std::string> keys = {})
      : payloads_(payloads), keys_(keys) {}
  Messages(const std::vector<std::string>& payloads) : payloads_(payloads) {}

  std::size_t size() const { return payloads_.size(); }
  bool has_keys() const { return !keys_.empty(); }
  const std::string& payload(std::size_t index) const { return payloads_[index]; }
  // Empty for none.
  std::string_view key(std::size_t index) const { return has_keys() ? keys_[index] : std::string_view(); }
  std::span<const std::string> payloads() const { return payloads_; }
  // `count` of them from `first` on.
  Messages part(std::size_t first, std::size_t count) const {
    return {payloads_.subspan(first, count), has_keys() ? keys_.subspan(first, count) : keys_};
  }

 private:
  std::span<const std::string> payloads_;
  std::span<const std::string> keys_;
};

// So many messages with keys may be under way at once. A channel knows its last 1,000 keys (redis/weir.lua), of all who
// publish to it, and what is sent again must still be among them.
inline constexpr std::size_t kKeyedMessagesMax = 512;
// What a sink may do once while it waits for answers.
using WhileWaiting = std::function<void()>;

class Sink {
 public:
  virtual ~Sink() = default;
  // Publishes `messages` in order. Requires at least one, and a channel name (channel_name.h). A sink that
  // sends several messages before it reads their answers calls `while_waiting`, unless it is empty, once all
  // are sent.
  virtual BatchResult publish(const std::string& channel, const Messages& messages,
                              const std::stop_token& stop, const WhileWaiting& while_waiting) = 0;
  // Publishes the end of the channel under an idempotency key, which may be empty.
  virtual BatchResult publish_end(const std::string& channel, const std::string& key,
                                  const std::stop_token& stop) = 0;
};

// Settings. CommonSettings (program.h) holds their defaults.
struct SinkOptions {
  std::string redis_prefix;     // Put before every channel name on the Redis side.
  RedisFiles redis_files = {};  // For a Redis; read again for each connection.
  // For a Redis: the channels are durable.
  std::optional<DurableLimits> durable = {};
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
