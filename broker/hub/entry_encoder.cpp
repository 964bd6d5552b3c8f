#include "broker/hub/entry_encoder.h"

#include <string>

#include "proto/envelope.h"
#include "proto/sse.h"
#include "proto/stream_id.h"

namespace weir {

FramePtr EntryEncoder::encode(const StreamEntry& entry, std::string_view channel,
                              EnvelopeMode envelope) const {
  const auto too_large = [&] {
    return Frame::of_gap(channel, 1, GapReason::kTooLarge, format_stream_id(entry.id), frames_, entry.id);
  };
  if (entry.is_too_large) return too_large();
  Message message = parse_payload(entry.payload, envelope);
  set_type(message, entry.type);
  message.time = entry.time;
  if (entry.payload.size() > message_bytes_max_ / kEncodedBytesPerByte &&
      encoded_bytes(message) > message_bytes_max_) {
    return too_large();
  }
  return Frame::of_entry(message, channel, entry.id, frames_);
}

}  // namespace weir
