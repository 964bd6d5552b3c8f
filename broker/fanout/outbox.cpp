#include "broker/fanout/outbox.h"

#include <cassert>
#include <utility>

namespace weir {

std::string_view Outbox::next() const {
  const std::string_view own = std::string_view(own_).substr(sent_);
  if (rest_.empty()) return own;
  return sent_ < own_before_rest_ ? own.substr(0, own_before_rest_ - sent_) : rest_;
}

void Outbox::on_sent(std::size_t bytes) {
  if (!rest_.empty() && sent_ >= own_before_rest_) {
    rest_.remove_prefix(bytes);
  } else {
    sent_ += bytes;
  }
}

void Outbox::keep_rest(FramePtr frame, std::string_view bytes, std::string_view unsent,
                       const Encoding& encoding) {
  assert(empty());
  clear();
  frame_ = std::move(frame);
  std::size_t taken = bytes.size() - unsent.size();
  if (frame_->has_retry()) {
    // The frame's own bytes hold other digits than this client's: copy up to their end.
    const std::size_t digits_begin = encoding.is_chunked ? Frame::retry_offset(bytes) : kRetryOffset;
    const std::size_t digits_end = digits_begin + kRetryDigits;
    if (taken < digits_end) {
      own_.assign(unsent.substr(0, digits_end - taken));
      own_before_rest_ = static_cast<std::uint8_t>(digits_end - taken);
      taken = digits_end;
    }
  }
  rest_ = bytes.substr(taken);
}

void Outbox::clear() {
  frame_.reset();
  rest_ = {};
  std::string().swap(own_);  // Assigning an empty string would keep the memory.
  sent_ = 0;
  own_before_rest_ = 0;
}

std::size_t Outbox::own_bytes() const {
  const std::size_t in_place = std::string().capacity();
  return own_.capacity() > in_place ? own_.capacity() : 0;
}

std::size_t Outbox::frame_bytes_beside_logs() const {
  return frame_ && !frame_->is_logged() ? frame_->held_bytes() : 0;
}

}  // namespace weir
