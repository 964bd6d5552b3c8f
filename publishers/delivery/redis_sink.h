// PUBLISH, or for durable channels FCALL weir_publish, over one connection to Redis, pipelined within a batch.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "publishers/delivery/redis_link.h"
#include "publishers/delivery/sink.h"
#include "publishers/delivery/subscriber_counts.h"

namespace weir {

// A refusal that passes (BUSY) leaves nothing unknown, unless Redis takes messages of the batch behind the one
// that it refused: those up to the last that it took count as unknown then, since their order is lost.
//
// On a new connection the first message for a durable channel goes alone, and the rest once it is confirmed: where the
// function is installed while a batch is under way, Redis would take the end of the batch without its start.
//
// Limits: payloads of SinkOptions::message_bytes_max, for durable channels of kPublishPayloadBytesMax; larger ones are
//         kTooLarge unsent.
class RedisSink : public Sink {
 public:
  RedisSink(const Target& target, const SinkOptions& options);

  BatchResult publish(const std::string& channel, const Messages& messages, const std::stop_token& stop,
                      const WhileWaiting& while_waiting) override;
  BatchResult publish_end(const std::string& channel, const std::string& key,
                          const std::stop_token& stop) override;

 private:
  using Clock = RedisLink::Clock;
  using WhyNot = RedisLink::WhyNot;
  // The commands of a batch and what has become of them.
  struct Pipeline {
    std::string bytes;
    std::vector<std::size_t> ends;  // Where each command ends in `bytes`.
    std::size_t sent = 0;           // Bytes of `bytes`.
    std::size_t limit = 0;          // No more bytes are sent than these.
    std::size_t answered = 0;       // Commands.
    std::size_t confirmed = 0;      // Those before the first refused one.
    std::size_t confirmed_end = 0;  // Behind the last confirmed one.
    std::size_t known = 0;          // Of `confirmed`, those whose key had been used.
    bool is_verbose = false;        // The replies say whether a key had been used.
    std::size_t reply_lines = 0;    // Of the next reply, so many have come.
    WhyNot refusal;                 // The first one.
    long long subscribers = 0;      // By the last answer.

    std::size_t sent_commands() const;
  };

  // On a new connection: waits until the channel has as many subscribers as on the lost one.
  WhyNot await_subscribers(const std::string& name);
  // Makes the commands, in the memory of the last batch.
  void fill(const std::string& name, const Messages& messages);
  void fill_durable(const std::string& name, const Messages& messages);
  // Sends them and reads their replies.
  BatchResult run(const WhileWaiting& while_waiting);
  // The same for all of `messages`, which Redis takes by their sizes.
  BatchResult send(const std::string& name, const Messages& messages, const WhileWaiting& while_waiting);
  WhyNot take_replies();
  // Takes one reply; nullopt if the connection goes on.
  WhyNot take_reply(std::string_view line);
  // True if `line` is the next one of a reply that confirms a command.
  bool confirms(std::string_view line);
  // The same for weir_publish; reply_lines is 0 again when it was the last one.
  bool confirms_durable(std::string_view line);
  BatchResult refusal(const std::string& error) const;
  // The result once nothing more will be answered, because of `why`, if anything.
  BatchResult result(WhyNot why) const;

  const SinkOptions options_;
  const std::size_t payload_bytes_max_;
  RedisLink link_;
  Pipeline pipeline_;
  SubscriberCounts subscribers_;
  Clock::time_point subscribers_deadline_{};  // For await_subscribers() on this connection.
  bool has_function_ = false;                 // A durable message was confirmed on this connection.
};

}  // namespace weir
