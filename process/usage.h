// How much this process uses: memory, processor time, descriptors.
//
// Threads: any. Each call reads a few pseudo files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace weir {

struct ProcessUsage {
  std::uint64_t resident_bytes = 0;
  double processor_seconds = 0;  // User and system, of all threads.
  std::uint64_t open_descriptors = 0;
  std::uint64_t descriptors_max = 0;  // The soft limit.
  double started_at = 0;              // In Unix seconds.
};
// What can't be read is 0.
ProcessUsage process_usage();

struct MemoryLimit {
  std::uint64_t used_bytes = 0;  // Without file pages that the kernel can drop; with its sockets (version 2).
  std::uint64_t limit_bytes = 0;
};
// The tightest memory limit of the cgroups that this process is in, and what counts against it. nullopt without
// a limit that can be read. Tests put `root` before /proc and /sys.
std::optional<MemoryLimit> memory_limit(const std::string& root = "");

}  // namespace weir
