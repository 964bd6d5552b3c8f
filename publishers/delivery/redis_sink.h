// PUBLISH over one connection to Redis, pipelined within a batch.
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
// Limits: payloads of SinkOptions::message_bytes_max; larger ones are kTooLarge unsent.
class RedisSink : public Sink {
 public:
  RedisSink(const Target& target, const SinkOptions& options);

  BatchResult publish(const std::string& channel, std::span<const std::string> payloads,
                      const std::stop_token& stop, const WhileWaiting& while_waiting) override;
  BatchResult publish_end(const std::string& channel, const std::stop_token& stop) override;

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
    WhyNot refusal;                 // The first one.
    long long subscribers = 0;      // By the last answer.

    std::size_t sent_commands() const;
  };

  // On a new connection: waits until the channel has as many subscribers as on the lost one.
  WhyNot await_subscribers(const std::string& name);
  // Makes the commands, in the memory of the last batch.
  void fill(const std::string& name, std::span<const std::string> payloads);
  // Sends them and reads their replies.
  BatchResult run(const WhileWaiting& while_waiting);
  WhyNot take_replies();
  // Takes one reply; nullopt if the connection goes on.
  WhyNot take_reply(std::string_view line);
  // The result once nothing more will be answered, because of `why`, if anything.
  BatchResult result(WhyNot why) const;

  const SinkOptions options_;
  RedisLink link_;
  Pipeline pipeline_;
  SubscriberCounts subscribers_;
  Clock::time_point subscribers_deadline_{};  // For await_subscribers() on this connection.
};

}  // namespace weir
