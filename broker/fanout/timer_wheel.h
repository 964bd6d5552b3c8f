// Timers of very many clients: putting one in, and taking it out, is O(1) and allocates nothing.
//
// Threads: the shard's own.
// Limits:  kSlots ticks ahead; a later deadline fires early, and whoever is called looks at the time and
// waits again.
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

// What a wheel links: base of whoever wants to be called.
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

  // Moves `node` to fire at `at` (at least one tick ahead). It may be linked already.
  void schedule(TimerNode& node, Tick at);
  static void cancel(TimerNode& node);

  // Advances to `now`; each due node is unlinked and handed to `fire`, which may schedule it again or end it.
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
