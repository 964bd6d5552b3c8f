#include "broker/log/frame.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "proto/event_id.h"

namespace weir {

struct Frame::Parts {
  std::string chunk;
  std::shared_ptr<FrameBytes> counter;
  FrameKind kind = FrameKind::kMessage;
  DataKind data_kind = DataKind::kPayload;
  GapReason gap_reason = GapReason::kBusDown;
  std::optional<std::uint64_t> gap_missed;
  StreamId stream_id = {};
  std::uint64_t time = 0;
  std::size_t type_offset = 0;
  std::size_t type_bytes = 0;
  bool has_retry = false;
  bool has_one_form = false;
  bool moves_position = true;

  static Parts of(const Message& message, std::string_view channel, std::string_view id,
                  std::shared_ptr<FrameBytes> counter);
};

namespace {

constexpr std::string_view kWeirEnd = "weir:end";

std::size_t head_bytes_of(std::string_view chunk) { return chunk.find('\n') + 1; }

// `block`, whose last line is its id, with another position there. Any other block stays as it is.
std::string with_position(std::string_view block, std::string_view position) {
  constexpr std::string_view kIdField = "id: ";
  constexpr std::size_t kEndBytes = 2;  // The line's feed, and the blank line.
  const std::string_view lines = block.substr(0, block.size() - kEndBytes);
  const std::size_t line = lines.rfind('\n') + 1;  // 0 if there is one line.
  if (!lines.substr(line).starts_with(kIdField)) return std::string(block);
  const std::string_view old = lines.substr(line + kIdField.size());
  std::string_view suffix = old.substr(std::min(old.find('~'), old.size()));
  if (position.size() + suffix.size() > kEventIdBytesMax) suffix = {};
  std::string changed(block.substr(0, line + kIdField.size()));
  return changed.append(position).append(suffix).append("\n\n");
}

}  // namespace

Frame::Parts Frame::Parts::of(const Message& message, std::string_view channel, std::string_view id,
                              std::shared_ptr<FrameBytes> counter) {
  Parts parts;
  parts.chunk = encode_chunk(encode_message(message, channel, id));
  parts.counter = std::move(counter);
  parts.kind = message.is_end ? FrameKind::kEnd : FrameKind::kMessage;
  parts.data_kind = message.data_kind;
  parts.time = message.time;
  parts.has_retry = message.retry.has_value();
  const std::string_view type = message.is_end ? kWeirEnd : std::string_view(message.type);
  if (!type.empty()) {
    // [retry: ddddd LF] event: <type> LF, as encode_block() writes them.
    parts.type_offset =
        head_bytes_of(parts.chunk) + (parts.has_retry ? kRetryOffset + kRetryDigits + 1 : 0) + 7;
    parts.type_bytes = type.size();
    assert(std::string_view(parts.chunk).substr(parts.type_offset, parts.type_bytes) == type);
  }
  return parts;
}

FramePtr Frame::of_message(const Message& message, std::string_view channel, std::string_view id,
                           std::shared_ptr<FrameBytes> counter) {
  return std::make_shared<const Frame>(Parts::of(message, channel, id, std::move(counter)));
}

FramePtr Frame::of_entry(const Message& message, std::string_view channel, const StreamId& stream_id,
                         std::shared_ptr<FrameBytes> counter) {
  const std::string id = with_id_suffix(format_stream_id(stream_id), message.id, message.is_end);
  Parts parts = Parts::of(message, channel, id, std::move(counter));
  parts.stream_id = stream_id;
  return std::make_shared<const Frame>(std::move(parts));
}

FramePtr Frame::of_passing(const Message& message, std::string_view channel, const StreamId& stream_id,
                           std::shared_ptr<FrameBytes> counter) {
  Parts parts = Parts::of(message, channel, {}, std::move(counter));
  parts.kind = FrameKind::kPassing;
  parts.stream_id = stream_id;
  return std::make_shared<const Frame>(std::move(parts));
}

FramePtr Frame::of_gap(std::string_view channel, std::optional<std::uint64_t> missed, GapReason reason,
                       std::string_view id, std::shared_ptr<FrameBytes> counter, const StreamId& stream_id) {
  Parts parts;
  parts.chunk = encode_chunk(encode_gap(channel, missed, reason).append("id: ").append(id).append("\n\n"));
  parts.counter = std::move(counter);
  parts.kind = FrameKind::kGap;
  parts.gap_reason = reason;
  parts.gap_missed = missed;
  parts.has_one_form = true;
  parts.stream_id = stream_id;
  return std::make_shared<const Frame>(std::move(parts));
}

Frame::Frame(Parts parts)
    : chunk_(std::move(parts.chunk)),
      counter_(std::move(parts.counter)),
      gap_missed_(parts.gap_missed),
      stream_id_(parts.stream_id),
      time_(parts.time),
      type_offset_(static_cast<std::uint32_t>(parts.type_offset)),
      type_bytes_(static_cast<std::uint32_t>(parts.type_bytes)),
      kind_(parts.kind),
      data_kind_(parts.data_kind),
      gap_reason_(parts.gap_reason),
      has_retry_(parts.has_retry),
      has_one_form_(parts.has_one_form),
      moves_position_(parts.moves_position) {
  counter_->add(chunk_.size() + kFrameOverhead);
}

FramePtr Frame::of_jump(std::string gaps, std::string_view id, std::shared_ptr<FrameBytes> counter,
                        const StreamId& stream_id) {
  Parts parts;
  parts.moves_position = !id.empty();
  if (!id.empty()) gaps.append("id: ").append(id).append("\n\n");
  parts.chunk = encode_chunk(gaps);
  parts.counter = std::move(counter);
  parts.kind = FrameKind::kJump;
  parts.has_one_form = true;
  parts.stream_id = stream_id;
  return std::make_shared<const Frame>(std::move(parts));
}

FramePtr Frame::with_id(const Frame& frame, Form form, std::string_view channel, std::string_view id,
                        std::shared_ptr<FrameBytes> counter) {
  std::string block(block_of_chunk(frame.chunk_));
  if (!frame.has_one_form_) block = encode_form(block, frame.data_kind_, channel, form, frame.time_);
  Parts parts;
  parts.chunk = encode_chunk(with_position(block, id));
  parts.counter = std::move(counter);
  parts.kind = frame.kind_;
  parts.data_kind = frame.data_kind_;
  parts.gap_reason = frame.gap_reason_;
  parts.gap_missed = frame.gap_missed_;
  parts.stream_id = frame.stream_id_;
  parts.time = frame.time_;
  parts.has_retry = frame.has_retry_;
  parts.moves_position = frame.moves_position_;
  parts.has_one_form = true;
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
  if (form == Form::kChannel || has_one_form_) return chunk_;
  auto& slot = forms_[static_cast<std::size_t>(form) - 1];
  const std::string* made = slot.load(std::memory_order_acquire);
  if (made != nullptr) return *made;
  auto fresh = std::make_unique<std::string>(
      encode_chunk(encode_form(block_of_chunk(chunk_), data_kind_, channel, form, time_)));
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
