// Publishes lines at a rate, and gets those through that the receiver finds too large.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "publishers/delivery/pacer.h"
#include "publishers/delivery/publisher.h"
#include "publishers/log/line_encoder.h"
#include "publishers/log/line_splitter.h"
#include "publishers/program/program.h"

namespace weir {

// Threads: one.
class LinePublisher {
 public:
  // `bytes_per_second` of messages; 0 is no limit. `on_wait` is called at least each second while the rate
  // holds it up.
  LinePublisher(const Work& work, std::uint64_t bytes_per_second, std::function<void()> on_wait = {});

  // Lines and their messages, of one channel. Publishing removes what is settled.
  struct Batch {
    std::vector<Line> lines;
    std::vector<std::string> messages;
    std::vector<std::string> keys;  // Idempotency keys, one for each message; empty if there are none.
  };
  static Batch encode(std::vector<Line> lines, const LineEncoder& encoder, bool has_keys);

  // Waits until the rate allows the batch. False if a stop came first.
  bool await_turn(const Batch& batch, const std::stop_token& stop);
  // " at 4 MiB/s (--rate)"; empty without a limit.
  std::string pace_text() const;
  // Publishes the batch. A line that is too large for the receiver comes in pieces that fit; a message that
  // can't be cut is skipped and counted. `while_waiting` as for Publisher::publish().
  Publisher::Ending publish(const std::string& channel, Batch& batch, const LineEncoder& encoder,
                            const std::stop_token& stop, const WhileWaiting& while_waiting = {});

 private:
  // Replaces the first message, which is too large.
  void cut_first(Batch& batch, const LineEncoder& encoder);

  const Work& work_;
  const std::function<void()> on_wait_;
  const std::uint64_t rate_;
  Pacer pacer_;
};

}  // namespace weir
