// One channel on one shard: the shard's position in the log, and the clients it serves.
//
// Threads:   the shard's; is_hinted on any.
// Ownership: the shard, the channel, the inbox and the readers of its clients share it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "broker/fanout/channel.h"
#include "broker/log/channel_log.h"

namespace weir {

class Client;
class HintInbox;

struct Follower {
  Client* client;              // Owned by the shard. It leaves the feed before it ends.
  std::uint32_t subscription;  // The index of the channel among the client's.
};

struct Feed {
  Feed(HintInbox& the_inbox, ChannelPtr the_channel) : inbox(the_inbox), channel(std::move(the_channel)) {}

  HintInbox& inbox;  // The shard's.
  const ChannelPtr channel;
  std::atomic<bool> is_hinted{false};  // It is in the inbox, or its turn has not come yet.
  Cursor position;                     // The shard has read up to here. Caught-up clients stand here.
  Cursor floor;  // The floor that the log knows: position, or a lagging client's cursor.
  std::vector<Follower> followers;
  std::size_t waiting = 0;       // Followers whose stream has not begun.
  std::size_t merging = 0;       // Followers that follow other channels too.
  std::size_t blocked = 0;       // Followers that wait for their socket. Only they lag behind the position.
  std::size_t awaiting_log = 0;  // Followers that wait for the log to begin, or to come up to what they have.
  bool is_low = false;           // Its floor may be below its position.
};

}  // namespace weir
