#include "broker/fanout/channel.h"

#include <algorithm>
#include <utility>

#include "broker/fanout/feed.h"
#include "broker/fanout/hint_inbox.h"

namespace weir {

Channel::Channel(std::string channel_name, const ChannelLog::Limits& limits,
                 SlowClientPolicy slow_client_policy, ChannelStreamPtr its_stream)
    : name(std::move(channel_name)), policy(slow_client_policy), stream(std::move(its_stream)), log(limits) {}

Channel::~Channel() = default;

void Channel::leave_hint() {
  const MutexLock lock(mutex_);
  for (const auto& feed : feeds_) {
    if (!feed->is_hinted.exchange(true)) feed->inbox.add(feed);
  }
}

void Channel::note_newcomer(std::chrono::system_clock::time_point now) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  std::uint64_t none = 0;
  first_newcomer_.compare_exchange_strong(none, static_cast<std::uint64_t>(std::max<std::int64_t>(1, ms)));
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
