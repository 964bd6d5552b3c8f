// A client that waits for its socket, as the admin side shows it. A value.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "broker/base/ip_address.h"

namespace weir {

// The most that each shard tells of: those with the most bytes to come.
inline constexpr std::size_t kSlowestMax = 20;

struct SlowClient {
  std::string channel;  // The one that it lags behind most.
  IpAddress address;
  std::uint64_t lag_messages = 0;
  std::uint64_t lag_bytes = 0;
  std::chrono::milliseconds waits{0};  // Since its socket last took a byte.
};

inline bool is_slower(const SlowClient& a, const SlowClient& b) {
  return a.lag_bytes != b.lag_bytes ? a.lag_bytes > b.lag_bytes : a.waits > b.waits;
}

}  // namespace weir
