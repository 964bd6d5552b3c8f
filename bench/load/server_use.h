// What a server uses, from /proc.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/result.h"

namespace weir::bench {

struct ServerUse {
  double cpu_seconds = 0;          // User and system, since it started.
  std::uint64_t memory_bytes = 0;  // Proportional set size: what processes share is counted once.
};

// Of all `pids` together; the error names one that isn't there.
Result<ServerUse> use_of(const std::vector<std::string>& pids);

// What the kernel holds for all TCP sockets of this machine, both ends.
std::uint64_t kernel_socket_bytes();

}  // namespace weir::bench
