// Hears of each stream's start and end, for the hub's access log.
#pragma once

#include "broker/fanout/stats.h"

namespace weir {

class Client;

// Threads: the client's shard calls both. They may read the client, and keep no reference to it.
class StreamObserver {
 public:
  virtual ~StreamObserver() = default;
  virtual void on_start(const Client& client) = 0;
  virtual void on_end(const Client& client, CloseReason reason) = 0;
};

}  // namespace weir
