#include "broker/fanout/batch.h"

#include <algorithm>
#include <charconv>

#include "broker/base/retry_time.h"

namespace weir {

std::string_view bytes_of(const Frame& frame, const Encoding& encoding, std::string_view channel) {
  const std::string_view chunk = frame.chunk(encoding.form, channel);
  return encoding.is_chunked ? chunk : block_of_chunk(chunk);
}

void Batch::clear() {
  // Do not keep the memory of one huge batch for ever.
  if (copied_.capacity() > 8 * kBatchBytes) std::string().swap(copied_);
  copied_.clear();
  lone_ = {};
  is_copied_ = true;
  has_gaps_ = false;
  ends_.clear();
  retries_.clear();
}

void Batch::add(const Frame& frame, const Encoding& encoding, std::string_view channel) {
  const std::string_view bytes = bytes_of(frame, encoding, channel);
  if (!is_copied_) {
    copied_.assign(lone_);
    is_copied_ = true;
  }
  if (ends_.empty() && bytes.size() >= kBatchBytes && !frame.has_retry()) {
    lone_ = bytes;
    is_copied_ = false;
  } else {
    if (frame.has_retry()) {
      const std::size_t digits = encoding.is_chunked ? Frame::retry_offset(bytes) : kRetryOffset;
      int milliseconds = 0;
      std::from_chars(bytes.data() + digits, bytes.data() + digits + kRetryDigits, milliseconds);
      retries_.push_back({copied_.size() + digits, std::chrono::milliseconds(milliseconds)});
    }
    copied_.append(bytes);
  }
  ends_.push_back(is_copied_ ? copied_.size() : lone_.size());
  has_gaps_ |= frame.kind() == FrameKind::kGap;
}

void Batch::write_retries(std::uint32_t jitter) {
  for (const Retry& retry : retries_)
    write_retry_digits(&copied_[retry.offset], jittered(retry.base, jitter));
}

std::size_t Batch::frame_at(std::size_t offset) const {
  return static_cast<std::size_t>(std::upper_bound(ends_.begin(), ends_.end(), offset) - ends_.begin());
}

}  // namespace weir
