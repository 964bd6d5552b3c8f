// The answers of weir-broker --away: what a proxy or an ingress sends clients to while no gateway is ready.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "broker/api/access.h"
#include "broker/http/handler.h"
#include "broker/http/reply.h"
#include "broker/http/request.h"

namespace weir {

// An EventSource gives up for good at any status but 200 and at a reply without the CORS headers that its page
// needs. So a GET that names text/event-stream gets an empty stream with a reconnection time, at any path.
// Everything else gets 503: a publish must not look accepted.
//
// Threads: as Handler says.
class AwayRoutes final : public Handler {
 public:
  // Of `rules` only those for other origins count. `random` seeds the jitter of the reconnection times.
  AwayRoutes(AccessRules rules, std::uint64_t random);

  Reply handle(Request& request) override;
  Reply overloaded(const Head& head) override;
  std::vector<Header> cors_headers(const Head& head) const override;
  bool is_draining() const override { return false; }

 private:
  Reply answer(const Head& head);

  const Access access_;
  std::atomic<std::uint32_t> turn_;
};

}  // namespace weir
