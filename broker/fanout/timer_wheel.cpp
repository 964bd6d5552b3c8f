#include "broker/fanout/timer_wheel.h"

#include <algorithm>

namespace weir {

TimerWheel::TimerWheel() {
  for (TimerNode& slot : slots_) slot.previous = slot.next = &slot;
}

void TimerWheel::schedule(TimerNode& node, Tick at) {
  if (node.is_linked()) cancel(node);
  const Tick due = std::clamp<Tick>(at, now_ + 1, now_ + kSlots - 1);
  TimerNode& slot = slots_[due % kSlots];
  node.previous = slot.previous;
  node.next = &slot;
  slot.previous->next = &node;
  slot.previous = &node;
}

void TimerWheel::cancel(TimerNode& node) {
  if (!node.is_linked()) return;
  node.previous->next = node.next;
  node.next->previous = node.previous;
  node.previous = node.next = nullptr;
}

}  // namespace weir
