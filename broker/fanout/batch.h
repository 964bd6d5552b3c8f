// Consecutive frames in one piece of memory, so that one system call sends them to a client.
//
// Threads:   the shard's.
// Ownership: the shard keeps its batches, to reuse their memory.
// Limits:    those of its user: kBatchBytes, or one larger frame of each channel.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/log/channel_log.h"
#include "proto/sse.h"

namespace weir {

// The encoding of a client's bytes: the form, and whether it is in HTTP chunks.
struct Encoding {
  Form form = Form::kChannel;
  bool is_chunked = true;  // False for HTTP/1.0, which ends a body by closing.
  std::size_t index() const { return static_cast<std::size_t>(form) * 2 + (is_chunked ? 1 : 0); }
};
inline constexpr std::size_t kEncodings = kForms * 2;

// The most bytes of frames that one read and one send take, unless one frame is larger.
inline constexpr std::size_t kBatchBytes = 64 << 10;

// The bytes of `frame` in `encoding`. Valid as long as the frame.
std::string_view bytes_of(const Frame& frame, const Encoding& encoding, std::string_view channel);

class Batch {
 public:
  void clear();
  // Appends a frame, which must outlive the batch's use: a large frame that stands alone is not copied.
  void add(const Frame& frame, const Encoding& encoding, std::string_view channel);

  std::string_view bytes() const { return is_copied_ ? std::string_view(copied_) : lone_; }
  std::size_t frames() const { return ends_.size(); }
  bool empty() const { return ends_.empty(); }
  // True if a gap that all clients share is among the frames.
  bool has_gaps() const { return has_gaps_; }

  bool has_retry() const { return !retries_.empty(); }
  // Writes one client's own digits into all retry lines.
  void write_retries(std::uint32_t jitter);

  // The index of the frame that holds byte `offset`.
  std::size_t frame_at(std::size_t offset) const;
  // The offsets of a frame's first byte and of the byte after its last.
  std::size_t begin_of(std::size_t frame) const { return frame == 0 ? 0 : ends_[frame - 1]; }
  std::size_t end_of(std::size_t frame) const { return ends_[frame]; }

 private:
  struct Retry {
    std::size_t offset;
    std::chrono::milliseconds base;
  };

  std::string copied_;
  std::string_view lone_;
  bool is_copied_ = true;
  bool has_gaps_ = false;
  std::vector<std::size_t> ends_;
  std::vector<Retry> retries_;
};

}  // namespace weir
