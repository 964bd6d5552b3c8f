// The URLs of the admin side: probes, metrics, open channels, the slowest clients, the log level.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "broker/api/access.h"
#include "broker/api/admin_token.h"
#include "broker/http/handler.h"
#include "broker/http/reply.h"
#include "broker/http/request.h"
#include "broker/hub/gateway.h"

namespace weir {

class Metrics;

// GET /channels shows at most this many channels, those with the most subscribers, and how many it leaves out.
inline constexpr std::size_t kAdminChannelsMax = 1'000;

struct AdminOptions {
  bool is_loopback;
  std::string token_file;  // Of admin_token.h; empty: none.
  // How long after the start it waits for Redis to be reached before it is ready without.
  std::chrono::seconds ready_without_redis;
};

// Answers the requests of the admin side.
//
// Threads:   as Handler says.
// Ownership: gateway and metrics outlive it.
class AdminRoutes final : public Handler {
 public:
  AdminRoutes(const AdminOptions& options, Gateway& gateway, const Metrics& metrics);

  Reply handle(Request& request) override;
  Reply overloaded(const Head& head) override;
  std::vector<Header> cors_headers(const Head& head) const override;  // None: no page reads this side.
  bool is_draining() const override;

 private:
  Reply dispatch(const Request& request);
  Reply ready();
  Reply bus() const;
  Reply channels() const;

  const Access access_;
  const AdminToken token_;
  const std::chrono::steady_clock::time_point ready_at_;  // Without Redis.
  std::atomic<bool> is_ready_told_ = false;
  Gateway& gateway_;
  const Metrics& metrics_;
};

}  // namespace weir
