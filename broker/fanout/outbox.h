// The bytes that one client's socket has not taken yet: the rest of a frame, and bytes of the client's own.
//
// It is no queue of messages: those wait in the logs. It holds at most one frame, of which the socket took a
// part, and bytes for this client alone: the response head, comments, gaps, the state of the bus.
//
// Threads:   the shard's.
// Ownership: the client owns its outbox. The outbox shares the torn frame with the log and other clients.
// Limits:    none of its own. Its client fills it only while the socket takes the earlier bytes, and
//            HeldMemory counts its bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "broker/fanout/batch.h"
#include "broker/log/frame.h"

namespace weir {

class Outbox {
 public:
  bool empty() const { return sent_ == own_.size() && rest_.empty(); }
  // The bytes to send next, in one piece. Valid until the outbox changes.
  std::string_view next() const;
  // The socket took the first `bytes` bytes of next().
  void on_sent(std::size_t bytes);

  // Appends bytes of the client's own. They go out after everything in the outbox.
  void append(std::string_view bytes) { own_.append(bytes); }
  // The same for the first bytes of a stream. Requires empty().
  void begin(std::string bytes) { own_ = std::move(bytes); }

  // Keeps the rest of `frame`, whose bytes in the client's encoding are `bytes`. `unsent` is the part that
  // the socket did not take, with the client's own digits in a retry line. Requires empty().
  void keep_rest(FramePtr frame, std::string_view bytes, std::string_view unsent, const Encoding& encoding);

  // Gives all memory back. Requires empty(), or a stream that has ended.
  void clear();

  // The memory of its own bytes, which are in no log.
  std::size_t own_bytes() const;
  // The memory of the torn frame; 0 if a log holds the frame.
  std::size_t frame_bytes_beside_logs() const;

 private:
  std::string own_;
  std::size_t sent_ = 0;  // Bytes of own_.
  FramePtr frame_;
  std::string_view rest_;             // Lies in frame_.
  std::uint8_t own_before_rest_ = 0;  // The first bytes of own_: they go out before rest_.
};

}  // namespace weir
