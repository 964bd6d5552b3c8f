// Messages at a rate, to see by hand how a gateway and its pages bear it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <string>

#include "publishers/delivery/publisher.h"

namespace weir {

struct LoadOptions {
  std::uint64_t rate = 0;   // Messages per second.
  std::size_t size = 100;   // Bytes of each message.
  std::uint64_t count = 0;  // Messages in all; 0: no end.
};

// Any message fits into as many bytes.
inline constexpr std::size_t kLoadMessageBytesMin = 64;

// {"msg":"xxx…","n":<n>,"time":<time_ms>} of `size` bytes. Requires at least kLoadMessageBytesMin.
std::string load_message(std::uint64_t n, std::uint64_t time_ms, std::size_t size);

// Publishes numbered messages, from 1 on, each with the time of its publishing. After a stall it makes up for
// at most a tenth of a second. Logs each ten seconds if the rate is not reached.
Publisher::Ending publish_load(Publisher& publisher, const std::string& channel, const LoadOptions& options,
                               const std::stop_token& stop);

}  // namespace weir
