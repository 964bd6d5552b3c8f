#include "process/processors.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <thread>

#include "process/cgroup.h"

namespace weir {
namespace {

std::optional<double> parse_number(const std::string& text) {
  std::istringstream stream(text);
  double number = 0;
  return stream >> number ? std::optional(number) : std::nullopt;
}

std::optional<double> quota_of(std::optional<double> time, std::optional<double> period) {
  if (!time || !period || *time <= 0 || *period <= 0) return std::nullopt;  // -1 is no limit.
  return *time / *period;
}

// "max 100000", "150000 100000".
std::optional<double> quota_v2(const std::string& folder) {
  const std::string line = read_line(folder + "/cpu.max");
  const auto space = line.find(' ');
  if (space == std::string::npos) return std::nullopt;
  return quota_of(parse_number(line.substr(0, space)), parse_number(line.substr(space)));
}

std::optional<double> quota_v1(const std::string& folder) {
  return quota_of(parse_number(read_line(folder + "/cpu.cfs_quota_us")),
                  parse_number(read_line(folder + "/cpu.cfs_period_us")));
}

// The processors of the affinity. hardware_concurrency() knows the same, or fewer on a very large machine.
std::size_t processors_of_affinity() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof(set), &set) == 0) return static_cast<std::size_t>(CPU_COUNT(&set));
  return std::thread::hardware_concurrency();
}

}  // namespace

std::optional<double> processor_quota(const std::string& root) {
  std::optional<double> least;
  for (const CgroupFolder& folder : cgroup_folders("cpu", root)) {
    const std::optional<double> quota = folder.version == 2 ? quota_v2(folder.path) : quota_v1(folder.path);
    if (quota && (!least || *quota < *least)) least = quota;
  }
  return least;
}

std::size_t usable_processors(std::size_t processors, std::optional<double> quota) {
  if (quota) {
    const double rounded = std::ceil(std::min(*quota, static_cast<double>(processors)));
    processors = static_cast<std::size_t>(rounded);
  }
  return std::max<std::size_t>(1, processors);
}

std::size_t usable_processors() { return usable_processors(processors_of_affinity(), processor_quota()); }

}  // namespace weir
