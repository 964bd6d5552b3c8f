// How many processors this process may use at once.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace weir {

// The processor time that cgroups allow this process, in processors: 1.5 is 150 ms in 100 ms. The least of
// its own cgroup and of the ancestors, by version 1 or 2 of the interface. nullopt without a limit that can
// be read. Tests put `root` before /proc and /sys.
std::optional<double> processor_quota(const std::string& root = "");

// The processors that this process may run on (its affinity), and no more than the quota,
// rounded up. At least 1.
std::size_t usable_processors(std::size_t processors, std::optional<double> quota);
std::size_t usable_processors();

}  // namespace weir
