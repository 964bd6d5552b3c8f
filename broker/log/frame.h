// One event on the wire. Encode it once; the log and every client share it.
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
#include "proto/stream_id.h"

namespace weir {

// Counts the bytes of all living frames, and of those in a log. Every frame shares it, so it outlives the
// last of them. Threads: any.
class FrameBytes {
 public:
  void add(std::size_t bytes) { total_.fetch_add(bytes, std::memory_order_relaxed); }
  void remove(std::size_t bytes) { total_.fetch_sub(bytes, std::memory_order_relaxed); }
  void enter_log(std::size_t bytes) { logged_.fetch_add(bytes, std::memory_order_relaxed); }
  void leave_log(std::size_t bytes) { logged_.fetch_sub(bytes, std::memory_order_relaxed); }

  std::size_t total() const { return total_.load(std::memory_order_relaxed); }
  std::size_t logged() const { return logged_.load(std::memory_order_relaxed); }
  // The bytes that clients hold while sending, and that shards keep at hand. Other threads count at the same
  // time, so it may be off for a moment, but is never below zero.
  std::size_t beside_logs() const {
    const std::size_t logged_now = logged();
    const std::size_t total_now = total();
    return total_now > logged_now ? total_now - logged_now : 0;
  }

 private:
  std::atomic<std::size_t> total_{0};
  std::atomic<std::size_t> logged_{0};
};

// Gaps that all clients share, and ends, are never skipped silently. A jump belongs to one client that could
// not have everything: it tells that client what it missed, and is in no log. A passing message is for whoever is
// there: a plain one on a channel with a history, which has no id, counts as none, and is never replayed.
enum class FrameKind : std::uint8_t { kMessage, kEnd, kGap, kJump, kPassing };

// Immutable. Its other forms are made once, at the first request.
//
// Threads:   any.
// Ownership: shared (FramePtr) by the log and the clients that are sending it.
// Limits:    FrameBytes counts its memory while it lives: the bytes of each form and kFrameOverhead.
class Frame {
 public:
  // The message in its kChannel form.
  static std::shared_ptr<const Frame> of_message(const Message& message, std::string_view channel,
                                                 std::string_view id, std::shared_ptr<FrameBytes> counter);
  // The same for a channel with a history: the id is `stream_id`, with the publisher's own.
  static std::shared_ptr<const Frame> of_entry(const Message& message, std::string_view channel,
                                               const StreamId& stream_id,
                                               std::shared_ptr<FrameBytes> counter);
  // A message without an id on a channel with a history, which is at `stream_id`.
  static std::shared_ptr<const Frame> of_passing(const Message& message, std::string_view channel,
                                                 const StreamId& stream_id,
                                                 std::shared_ptr<FrameBytes> counter);
  // A gap for all clients of `channel`. An id-only block after the event moves the client's
  // position past it, so that an incident is told once even if no message follows. (Such a block
  // dispatches nothing: WHATWG HTML, 9.2.6.)
  static std::shared_ptr<const Frame> of_gap(std::string_view channel, std::optional<std::uint64_t> missed,
                                             GapReason reason, std::string_view id,
                                             std::shared_ptr<FrameBytes> counter,
                                             const StreamId& stream_id = {});
  // Encoded gaps for one client. Its position becomes `id`, or stays if `id` is empty.
  static std::shared_ptr<const Frame> of_jump(std::string gaps, std::string_view id,
                                              std::shared_ptr<FrameBytes> counter,
                                              const StreamId& stream_id = {});
  // `frame` as one client gets it, whose ids differ from everybody's: in this form, with `id` in place of its
  // position. What stands behind the position, the publisher's own id, stays if it fits kEventIdBytesMax. A frame
  // without an id line gets none. In the JSON form the data keeps the message's own id.
  static std::shared_ptr<const Frame> with_id(const Frame& frame, Form form, std::string_view channel,
                                              std::string_view id, std::shared_ptr<FrameBytes> counter);
  ~Frame();
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  FrameKind kind() const { return kind_; }
  GapReason gap_reason() const { return gap_reason_; }
  std::optional<std::uint64_t> gap_missed() const { return gap_missed_; }
  // True if it holds a retry: line. Each client gets its own digits there (write_retry_digits).
  bool has_retry() const { return has_retry_; }
  // Where a reader of a channel with a history stands behind this frame. "0-0" on any other channel, and in a jump
  // that moves no position.
  const StreamId& stream_id() const { return stream_id_; }
  // False for a jump without an id.
  bool moves_position() const { return moves_position_; }
  // The SSE event type of the kChannel form.
  std::string_view type() const { return std::string_view(chunk_).substr(type_offset_, type_bytes_); }
  DataKind data_kind() const { return data_kind_; }
  // The bytes of the kChannel form, by which queues and histories are measured.
  std::size_t bytes() const { return chunk_.size(); }

  // Called by the one log that holds this frame: in turn, any number of times.
  void enter_log() const;
  void leave_log() const;
  bool is_logged() const { return logged_bytes_.load(std::memory_order_relaxed) != 0; }
  // Its present memory, with all forms made so far.
  std::size_t held_bytes() const;

  // The frame as an HTTP chunk. Give the same `channel` at each call.
  std::string_view chunk(Form form, std::string_view channel) const;
  // The offset of the retry line's digits in such a chunk. Requires has_retry().
  static std::size_t retry_offset(std::string_view chunk);

  // Use the functions above. Public for std::make_shared.
  struct Parts;
  explicit Frame(Parts parts);

 private:
  std::string chunk_;
  mutable std::array<std::atomic<const std::string*>, kForms - 1> forms_{};
  mutable std::atomic<std::size_t> logged_bytes_{0};  // Counted in `counter_` as logged.
  std::shared_ptr<FrameBytes> counter_;               // Shared with all frames.
  std::optional<std::uint64_t> gap_missed_;
  StreamId stream_id_;
  std::uint64_t time_ = 0;  // Of the message, in Unix ms; for the JSON form alone.
  std::uint32_t type_offset_ = 0;
  std::uint32_t type_bytes_ = 0;
  FrameKind kind_ = FrameKind::kMessage;
  DataKind data_kind_ = DataKind::kPayload;
  GapReason gap_reason_ = GapReason::kBusDown;
  bool has_retry_ = false;
  bool has_one_form_ = false;  // chunk_ is for every form.
  bool moves_position_ = true;
};

using FramePtr = std::shared_ptr<const Frame>;

// The memory of a frame besides its bytes: the object, its control block and its entry in a log.
inline constexpr std::size_t kFrameOverhead = sizeof(Frame) + 80;

}  // namespace weir
