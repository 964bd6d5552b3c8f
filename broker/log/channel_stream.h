// The facts about a channel's stream that everybody needs who reads its history.
//
// Threads:   any; all but `entry_bytes` is fixed.
// Ownership: shared by the channel and the reads under way.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "proto/envelope.h"

namespace weir {

enum class StreamKind : std::uint8_t {
  kDurable,   // Its ids count: a message is missed where a number is missing.
  kFollowed,  // Its ids only grow.
};

struct ChannelStream {
  ChannelStream(std::string channel_name, StreamKind stream_kind, EnvelopeMode envelope_mode)
      : channel(std::move(channel_name)), kind(stream_kind), envelope(envelope_mode) {}

  const std::string channel;
  const StreamKind kind;
  const EnvelopeMode envelope;
  std::string key = {};         // kFollowed: see StreamSource.
  std::string data_field = {};  // kFollowed.

  bool is_durable() const { return kind == StreamKind::kDurable; }

  // The largest entry seen, which says how many make a page. 0: none was seen.
  std::atomic<std::size_t> entry_bytes{0};
};

using ChannelStreamPtr = std::shared_ptr<ChannelStream>;

}  // namespace weir
