#include "publishers/log/rename_tracker.h"

#include <algorithm>

namespace weir {

void RenameTracker::created(const std::string& name) {
  if (name != name_) return;
  if (arrivals_.size() >= kArrivalsMax) {
    arrivals_.pop_front();
    ++lost_;
  }
  arrivals_.push_back({.id = ++last_id_, .name = name});
}

void RenameTracker::moved_from(const std::string& name, std::uint32_t cookie) {
  if (Arrival* arrival = find(name)) {
    arrival->name.clear();
    arrival->cookie = cookie;
    ++arrival->changes;
  }
}

void RenameTracker::moved_to(const std::string& name, std::uint32_t cookie) {
  removed(name);  // The move replaces the file that had the name.
  const auto moving = std::find_if(arrivals_.begin(), arrivals_.end(), [&](const Arrival& arrival) {
    return arrival.name.empty() && arrival.cookie == cookie;
  });
  if (moving == arrivals_.end()) return created(name);
  moving->name = name;
  ++moving->changes;
}

void RenameTracker::removed(const std::string& name) {
  const auto gone = std::erase_if(arrivals_, [&](const Arrival& arrival) { return arrival.name == name; });
  lost_ += gone;
}

RenameTracker::Arrival* RenameTracker::find(const std::string& name) {
  const auto found = std::find_if(arrivals_.begin(), arrivals_.end(),
                                  [&](const Arrival& arrival) { return arrival.name == name; });
  return found == arrivals_.end() ? nullptr : &*found;
}

}  // namespace weir
