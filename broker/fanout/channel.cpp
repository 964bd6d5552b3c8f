#include "broker/fanout/channel.h"

#include <utility>

#include "broker/fanout/feed.h"
#include "broker/fanout/hint_inbox.h"

namespace weir {

Channel::Channel(std::string channel_name, const ChannelLog::Limits& limits,
                 SlowClientPolicy slow_client_policy)
    : name(std::move(channel_name)), policy(slow_client_policy), log(limits) {}

Channel::~Channel() = default;

void Channel::leave_hint() {
  const MutexLock lock(mutex_);
  for (const auto& feed : feeds_) {
    if (!feed->is_hinted.exchange(true)) feed->inbox.add(feed);
  }
}

void Channel::add_feed(std::shared_ptr<Feed> feed) {
  const MutexLock lock(mutex_);
  feeds_.push_back(std::move(feed));
}

void Channel::remove_feed(const Feed* feed) {
  const MutexLock lock(mutex_);
  std::erase_if(feeds_, [&](const auto& other) { return other.get() == feed; });
}

}  // namespace weir
