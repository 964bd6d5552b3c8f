// Makes frames of the entries of streams.
//
// Threads: any.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "broker/bus/streams.h"
#include "broker/log/channel_stream.h"
#include "broker/log/frame.h"

namespace weir {

class EntryEncoder {
 public:
  EntryEncoder(std::size_t message_bytes_max, std::shared_ptr<FrameBytes> frames)
      : message_bytes_max_(message_bytes_max), frames_(std::move(frames)) {}

  // The message, or the end, that `entry` is. One that is larger than --max-message-bytes is a gap of one message.
  FramePtr encode(const StreamEntry& entry, std::string_view channel, EnvelopeMode envelope) const;

 private:
  const std::size_t message_bytes_max_;
  const std::shared_ptr<FrameBytes> frames_;  // Shared with all frames.
};

}  // namespace weir
