// How many processors this process may use at once.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace weir {

// The processor time that cgroups allow this process, in processors: 1.5 is 150 ms in 100 ms. The least of
// its own cgroup and those above it, by version 1 or 2 of the interface. nullopt without a limit, or with
// none that can be read. `root` is put before /proc and /sys, for tests.
std::optional<double> processor_quota(const std::string& root = "");

// The processors that it may run on (its affinity), and no more than the quota asks for: rounded up, at
// least 1.
std::size_t usable_processors(std::size_t processors, std::optional<double> quota);
std::size_t usable_processors();

}  // namespace weir
