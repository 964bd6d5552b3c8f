#include "publishers/delivery/subscriber_counts.h"

#include <algorithm>

namespace weir {

long long SubscriberCounts::awaited(const std::string& name) const {
  const auto it = channels_.find(name);
  return it == channels_.end() || it->second.connection == connection_ ? 0 : it->second.subscribers;
}

void SubscriberCounts::settle(const std::string& name) {
  const auto it = channels_.find(name);
  if (it != channels_.end()) it->second.connection = connection_;
}

void SubscriberCounts::set(const std::string& name, long long subscribers) {
  auto it = channels_.find(name);
  if (it == channels_.end()) {
    if (channels_.size() >= kChannelsMax) {
      channels_.erase(std::min_element(channels_.begin(), channels_.end(), [](const auto& a, const auto& b) {
        return a.second.used_at < b.second.used_at;
      }));
    }
    it = channels_.try_emplace(name).first;
  }
  it->second = {subscribers, connection_, ++uses_};
}

}  // namespace weir
