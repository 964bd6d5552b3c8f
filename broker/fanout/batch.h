// Frames in a row, as one piece of memory: what all clients of one form are sent by one system call each.
//
// Threads: the shard's own; a shard keeps its batches, so that their memory is used again.
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

// How the bytes of a client are made: the form, and whether in HTTP chunks.
struct Encoding {
  Form form = Form::kChannel;
  bool is_chunked = true;
  std::size_t index() const { return static_cast<std::size_t>(form) * 2 + (is_chunked ? 1 : 0); }
};
inline constexpr std::size_t kEncodings = kForms * 2;

// At most so many bytes of frames are read and sent at once, unless one frame alone is larger.
inline constexpr std::size_t kBatchBytes = 64 << 10;

// The bytes of `frame` in `encoding`; valid as long as the frame.
std::string_view bytes_of(const Frame& frame, const Encoding& encoding, std::string_view channel);

class Batch {
 public:
  void clear();
  // Appends a frame. It outlives the batch's use: a large frame that stands alone is sent from where it is.
  void add(const Frame& frame, const Encoding& encoding, std::string_view channel);

  std::string_view bytes() const { return is_copied_ ? std::string_view(copied_) : lone_; }
  std::size_t frames() const { return ends_.size(); }
  bool empty() const { return ends_.empty(); }
  // Gaps of all clients are among the frames.
  bool has_gaps() const { return has_gaps_; }

  // Makes the digits of all retry lines this client's own.
  bool has_retry() const { return !retries_.empty(); }
  void write_retries(std::uint32_t jitter);

  // The frame that byte `offset` lies in, and where it begins.
  std::size_t frame_at(std::size_t offset) const;
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

// `base` made a client's own by 16 bits of `jitter`: up to twice as long, and folded back at 60 s (there it
// is never less than half of that).
std::chrono::milliseconds jittered(std::chrono::milliseconds base, std::uint32_t jitter);

}  // namespace weir
