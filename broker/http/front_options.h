// The limits and times of one front.
#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

#include "broker/base/ip_address.h"

namespace weir {

// Plain values. Those without a default are settings: api/options.h fills them in.
struct FrontOptions {
  std::size_t head_bytes_max;
  std::size_t body_bytes_max;
  // Memory of all requests until they are answered. One address may have half of it, or one largest message.
  std::size_t request_bytes_max;
  std::chrono::milliseconds head_timeout;
  std::chrono::milliseconds body_timeout;
  std::chrono::milliseconds keep_alive_timeout;
  // The client may take so long to read an answer that ends its connection before the socket closes.
  std::chrono::milliseconds linger_timeout{2'000};
  std::chrono::milliseconds accept_pause{100};
  // The last descriptors of the process, which this front's connections leave to others.
  std::size_t descriptors_kept = 0;
  // The proxies whose X-Forwarded-For is trusted.
  std::vector<AddressRange> trusted_proxies = {};
};

}  // namespace weir
