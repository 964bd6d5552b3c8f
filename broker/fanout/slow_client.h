// A client that waits for its socket, for the admin side. A value.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "broker/base/ip_address.h"

namespace weir {

// Each shard reports at most this many, those with the most bytes to come.
inline constexpr std::size_t kSlowestMax = 20;

struct SlowClient {
  std::string channel;  // The channel in which it lags most.
  IpAddress address;
  std::uint64_t lag_messages = 0;
  std::uint64_t lag_bytes = 0;
  std::chrono::milliseconds waits{0};  // Since its socket last took a byte.
};

inline bool is_slower(const SlowClient& a, const SlowClient& b) {
  return a.lag_bytes != b.lag_bytes ? a.lag_bytes > b.lag_bytes : a.waits > b.waits;
}

}  // namespace weir
