#include "broker/log/frame.h"

#include <cassert>
#include <utility>

namespace weir {

struct Frame::Parts {
  std::string chunk;
  std::shared_ptr<FrameBytes> counter;
  FrameKind kind = FrameKind::kMessage;
  DataKind data_kind = DataKind::kPayload;
  GapReason gap_reason = GapReason::kBusDown;
  std::optional<std::uint64_t> gap_missed;
  std::size_t type_offset = 0;
  std::size_t type_bytes = 0;
  bool has_retry = false;
};

namespace {

constexpr std::string_view kWeirEnd = "weir:end";

std::size_t head_bytes_of(std::string_view chunk) { return chunk.find('\n') + 1; }

}  // namespace

FramePtr Frame::of_message(const Message& message, std::string_view channel, std::string_view id,
                           std::shared_ptr<FrameBytes> counter) {
  Parts parts;
  parts.chunk = encode_chunk(encode_message(message, channel, id));
  parts.counter = std::move(counter);
  parts.kind = message.is_end ? FrameKind::kEnd : FrameKind::kMessage;
  parts.data_kind = message.data_kind;
  parts.has_retry = message.retry.has_value();
  const std::string_view type = message.is_end ? kWeirEnd : std::string_view(message.type);
  if (!type.empty()) {
    // [retry: ddddd LF] event: <type> LF, as encode_block() writes them.
    parts.type_offset =
        head_bytes_of(parts.chunk) + (parts.has_retry ? kRetryOffset + kRetryDigits + 1 : 0) + 7;
    parts.type_bytes = type.size();
    assert(std::string_view(parts.chunk).substr(parts.type_offset, parts.type_bytes) == type);
  }
  return std::make_shared<const Frame>(std::move(parts));
}

FramePtr Frame::of_gap(std::string_view channel, std::optional<std::uint64_t> missed, GapReason reason,
                       std::string_view id, std::shared_ptr<FrameBytes> counter) {
  Parts parts;
  parts.chunk = encode_chunk(encode_gap(channel, missed, reason).append("id: ").append(id).append("\n\n"));
  parts.counter = std::move(counter);
  parts.kind = FrameKind::kGap;
  parts.gap_reason = reason;
  parts.gap_missed = missed;
  return std::make_shared<const Frame>(std::move(parts));
}

Frame::Frame(Parts parts)
    : chunk_(std::move(parts.chunk)),
      counter_(std::move(parts.counter)),
      gap_missed_(parts.gap_missed),
      type_offset_(static_cast<std::uint32_t>(parts.type_offset)),
      type_bytes_(static_cast<std::uint32_t>(parts.type_bytes)),
      kind_(parts.kind),
      data_kind_(parts.data_kind),
      gap_reason_(parts.gap_reason),
      has_retry_(parts.has_retry) {
  counter_->add(chunk_.size() + kFrameOverhead);
}

FramePtr Frame::of_jump(std::string gaps, std::string_view id, std::shared_ptr<FrameBytes> counter) {
  Parts parts;
  if (!id.empty()) gaps.append("id: ").append(id).append("\n\n");
  parts.chunk = encode_chunk(gaps);
  parts.counter = std::move(counter);
  parts.kind = FrameKind::kJump;
  return std::make_shared<const Frame>(std::move(parts));
}

Frame::~Frame() {
  leave_log();
  counter_->remove(held_bytes());
  for (auto& form : forms_) delete form.load(std::memory_order_acquire);
}

void Frame::enter_log() const {
  const std::size_t bytes = held_bytes();
  logged_bytes_.store(bytes, std::memory_order_relaxed);
  counter_->enter_log(bytes);
}

void Frame::leave_log() const {
  if (is_logged()) counter_->leave_log(logged_bytes_.exchange(0, std::memory_order_relaxed));
}

std::size_t Frame::held_bytes() const {
  std::size_t bytes = chunk_.size() + kFrameOverhead;
  for (const auto& form : forms_) {
    const std::string* made = form.load(std::memory_order_acquire);
    if (made != nullptr) bytes += made->size();
  }
  return bytes;
}

std::string_view Frame::chunk(Form form, std::string_view channel) const {
  if (form == Form::kChannel || kind_ == FrameKind::kGap || kind_ == FrameKind::kJump) return chunk_;
  auto& slot = forms_[static_cast<std::size_t>(form) - 1];
  const std::string* made = slot.load(std::memory_order_acquire);
  if (made != nullptr) return *made;
  auto fresh = std::make_unique<std::string>(
      encode_chunk(encode_form(block_of_chunk(chunk_), data_kind_, channel, form)));
  counter_->add(fresh->size());
  if (slot.compare_exchange_strong(made, fresh.get(), std::memory_order_acq_rel)) {
    std::size_t logged = logged_bytes_.load(std::memory_order_relaxed);
    // Count it as logged, too, unless the frame leaves its log at this moment.
    while (logged != 0) {
      if (!logged_bytes_.compare_exchange_weak(logged, logged + fresh->size(), std::memory_order_relaxed))
        continue;
      counter_->enter_log(fresh->size());
      break;
    }
    return *fresh.release();
  }
  counter_->remove(fresh->size());  // Another shard was first; its bytes are the same.
  return *made;
}

std::size_t Frame::retry_offset(std::string_view chunk) { return head_bytes_of(chunk) + kRetryOffset; }

}  // namespace weir
