// Hears of each stream's start and end. The hub's access log is one.
#pragma once

#include "broker/fanout/stats.h"

namespace weir {

class Client;

// Threads: the shard of the client calls both. They may ask the client, and keep nothing of it.
class StreamObserver {
 public:
  virtual ~StreamObserver() = default;
  virtual void on_start(const Client& client) = 0;
  virtual void on_end(const Client& client, CloseReason reason) = 0;
};

}  // namespace weir
