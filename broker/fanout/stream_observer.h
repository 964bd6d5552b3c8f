// Who is told of each stream's start and end: the hub's access log.
#pragma once

#include "broker/fanout/stats.h"

namespace weir {

class Client;

// Threads: both functions on the client's shard's. They may ask the client, and keep nothing of it.
class StreamObserver {
 public:
  virtual ~StreamObserver() = default;
  virtual void on_start(const Client& client) = 0;
  virtual void on_end(const Client& client, CloseReason reason) = 0;
};

}  // namespace weir
