// The interface between http/ and the routes: from a request to its reply.
#pragma once

#include <vector>

#include "broker/http/reply.h"
#include "broker/http/request.h"

namespace weir {

// The routes of one side. http/ reads bytes into requests and sends replies; the handler
// decides what a request means.
//
// Threads:   handle() on the threads of the pool, many at once; the others on the front loop. None may wait.
// Ownership: outlives the server.
class Handler {
 public:
  virtual ~Handler() = default;

  // Returns the reply to `request`, from which it may move. It may throw: that becomes a 500. If
  // `request.is_whole` is false, the body has not come and the question is whether it may. A status below 400
  // says yes, and the rest of that reply is unused; the handler is then asked again with the whole request,
  // which has `is_admitted` set.
  virtual Reply handle(Request& request) = 0;

  // Returns the reply to a request that finds the pool full.
  virtual Reply overloaded(const Head& head) = 0;

  // Returns the CORS headers for a reply to `head` that http/ itself makes.
  virtual std::vector<Header> cors_headers(const Head& head) const = 0;

  // True while the gateway drains. Each reply then ends its connection, so that clients
  // look for another gateway.
  virtual bool is_draining() const = 0;
};

}  // namespace weir
