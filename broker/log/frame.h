// One event on the wire, made once and shared by the log and every client that is being sent it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proto/message.h"
#include "proto/sse.h"

namespace weir {

// Counts the bytes that all living frames hold, and those of them that a log holds. Shared by every frame, so
// that it outlives the last of them.
class FrameBytes {
 public:
  void add(std::size_t bytes) { total_.fetch_add(bytes, std::memory_order_relaxed); }
  void remove(std::size_t bytes) { total_.fetch_sub(bytes, std::memory_order_relaxed); }
  void enter_log(std::size_t bytes) { logged_.fetch_add(bytes, std::memory_order_relaxed); }
  void leave_log(std::size_t bytes) { logged_.fetch_sub(bytes, std::memory_order_relaxed); }

  std::size_t total() const { return total_.load(std::memory_order_relaxed); }
  std::size_t logged() const { return logged_.load(std::memory_order_relaxed); }
  // Held by clients that are in the middle of sending them, and by what shards have at hand. Other threads
  // count at the same time, so the difference may be off for a moment, but never below zero.
  std::size_t beside_logs() const {
    const std::size_t logged_now = logged();
    const std::size_t total_now = total();
    return total_now > logged_now ? total_now - logged_now : 0;
  }

 private:
  std::atomic<std::size_t> total_{0};
  std::atomic<std::size_t> logged_{0};
};

// What a frame tells. Gaps that all clients share and ends are never skipped in silence.
// A jump is what one client is told that could not be given everything: its own, and in no log.
enum class FrameKind : std::uint8_t { kMessage, kEnd, kGap, kJump };

// Immutable but for its other forms, which are made when first asked for, once.
// Threads: any.
// Memory:  counted in FrameBytes for as long as the frame lives: bytes of each form and kFrameOverhead.
class Frame {
 public:
  // The message in its kChannel form.
  static std::shared_ptr<const Frame> of_message(const Message& message, std::string_view channel,
                                                 std::string_view id, std::shared_ptr<FrameBytes> counter);
  // A gap of all clients of `channel`. After the event an id-only block moves the client's position past it,
  // so that an incident is told once even if no message follows (it dispatches nothing: WHATWG HTML, 9.2.6).
  static std::shared_ptr<const Frame> of_gap(std::string_view channel, std::optional<std::uint64_t> missed,
                                             GapReason reason, std::string_view id,
                                             std::shared_ptr<FrameBytes> counter);
  // `gaps` (blocks, encoded) for one client, whose position then is `id`; an empty `id` moves it nowhere.
  static std::shared_ptr<const Frame> of_jump(std::string gaps, std::string_view id,
                                              std::shared_ptr<FrameBytes> counter);
  ~Frame();
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  FrameKind kind() const { return kind_; }
  GapReason gap_reason() const { return gap_reason_; }
  std::optional<std::uint64_t> gap_missed() const { return gap_missed_; }
  // A retry: line is in it, whose digits are to be made each client's own (write_retry_digits).
  bool has_retry() const { return has_retry_; }
  // The SSE event type of the kChannel form.
  std::string_view type() const { return std::string_view(chunk_).substr(type_offset_, type_bytes_); }
  // Bytes of the kChannel form: what queues and histories are measured by.
  std::size_t bytes() const { return chunk_.size(); }

  // The one log that holds this frame says when it begins and ends to do so. Any number of times, in turn.
  void enter_log() const;
  void leave_log() const;
  bool is_logged() const { return logged_bytes_.load(std::memory_order_relaxed) != 0; }
  // What it takes now, in all forms that were made.
  std::size_t held_bytes() const;

  // As an HTTP chunk. `channel` is the same name at each call.
  std::string_view chunk(Form form, std::string_view channel) const;
  // Where the digits of the retry line stand in such a chunk. Requires has_retry().
  static std::size_t retry_offset(std::string_view chunk);

  // Use of_message() and of_gap(); public for std::make_shared.
  struct Parts;
  explicit Frame(Parts parts);

 private:
  std::string chunk_;
  mutable std::array<std::atomic<const std::string*>, kForms - 1> forms_{};
  mutable std::atomic<std::size_t> logged_bytes_{0};  // What `counter_` was told of as logged.
  std::shared_ptr<FrameBytes> counter_;
  std::optional<std::uint64_t> gap_missed_;
  std::uint32_t type_offset_ = 0;
  std::uint32_t type_bytes_ = 0;
  FrameKind kind_ = FrameKind::kMessage;
  DataKind data_kind_ = DataKind::kPayload;
  GapReason gap_reason_ = GapReason::kBusDown;
  bool has_retry_ = false;
};

// Shared by the log and by clients that are in the middle of sending it.
using FramePtr = std::shared_ptr<const Frame>;

// What a frame takes beside its bytes: the object, its control block and its entry in a log.
inline constexpr std::size_t kFrameOverhead = sizeof(Frame) + 80;

}  // namespace weir
