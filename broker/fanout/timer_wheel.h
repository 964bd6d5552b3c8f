// Timers for very many clients. Scheduling and cancelling are O(1) and allocate nothing.
//
// Threads:   the shard's.
// Ownership: the nodes belong to their owners. Cancel a node before it ends.
// Limits:    kSlots ticks ahead. A later deadline fires early: the callee looks at the time and waits again.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace weir {

// A point in time in ticks since the shard's start.
using Tick = std::uint32_t;
inline constexpr std::chrono::milliseconds kTickLength{100};
inline constexpr Tick kNoTick = std::numeric_limits<Tick>::max();

// The base of an object that a timer calls.
struct TimerNode {
  TimerNode* previous = nullptr;
  TimerNode* next = nullptr;
  bool is_linked() const { return next != nullptr; }
};

class TimerWheel {
 public:
  static constexpr Tick kSlots = 1024;  // 102 s.

  TimerWheel();
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Makes `node` fire at `at`, but at least one tick ahead. A linked node moves.
  void schedule(TimerNode& node, Tick at);
  static void cancel(TimerNode& node);

  // Advances to `now`. Unlinks each due node and hands it to `fire`, which may schedule it again or end it.
  template <typename Fire>
  void advance(Tick now, Fire fire) {
    while (now_ < now) {
      TimerNode& slot = slots_[++now_ % kSlots];
      // Nodes scheduled meanwhile go to other slots: schedule() is at least one tick ahead.
      while (slot.next != &slot) {
        TimerNode& node = *slot.next;
        cancel(node);
        fire(node);
      }
    }
  }
  Tick now() const { return now_; }

 private:
  std::array<TimerNode, kSlots> slots_;
  Tick now_ = 0;
};

}  // namespace weir
