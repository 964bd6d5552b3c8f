// One open channel: its log, its state on the bus, and the feeds of the shards that follow it.
//
// Threads:   leave_hint() on the bus thread; add_feed() and remove_feed() on the shards'; the rest on any.
// Ownership: the hub and the leases of clients share a channel. A feed is shared by its channel, its shard
//            and the shard's inbox, and ends when its last client leaves.
// Limits:    one feed for each shard.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "broker/base/mutex.h"
#include "broker/base/slow_client_policy.h"
#include "broker/log/channel_log.h"
#include "broker/log/channel_stream.h"

namespace weir {

struct Feed;

class Channel {
 public:
  // `its_stream` is null unless the channel has a history in Redis.
  Channel(std::string channel_name, const ChannelLog::Limits& limits, SlowClientPolicy slow_client_policy,
          ChannelStreamPtr its_stream = nullptr);
  ~Channel();

  const std::string name;
  const SlowClientPolicy policy;
  const ChannelStreamPtr stream;
  ChannelLog log;

  // Hot path, step 3 of docs/life-of-a-message.md: puts each feed into its shard's inbox unless it is already
  // there. The caller wakes the shards, once for many channels.
  void leave_hint();
  void add_feed(std::shared_ptr<Feed> feed);
  void remove_feed(const Feed* feed);

  // The bus has acknowledged the channel's subscription on its present connection, and the log of a channel with a
  // history was filled up since.
  std::atomic<bool> is_live{false};
  // Messages may have been missed: clients were let in before the acknowledgement, or the bus was lost. The
  // next acknowledgement appends a gap.
  std::atomic<bool> owes_gap{false};
  // A client was let in before the log of a channel with a history began. `now` is kept if it is the first.
  void note_newcomer(std::chrono::system_clock::time_point now);
  // When the first one was, in Unix ms; 0: there was none.
  std::uint64_t first_newcomer() const { return first_newcomer_.load(); }
  // The bus refuses the channel for good. Its streams end.
  std::atomic<bool> is_refused{false};
  std::atomic<std::size_t> clients{0};

 private:
  mutable Mutex mutex_;
  std::atomic<std::uint64_t> first_newcomer_{0};
  std::vector<std::shared_ptr<Feed>> feeds_ GUARDED_BY(mutex_);  // At most one for each shard.
};

// Shared by the hub, and by the feeds and the leases of clients.
using ChannelPtr = std::shared_ptr<Channel>;

}  // namespace weir
