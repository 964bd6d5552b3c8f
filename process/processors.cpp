#include "process/processors.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string_view>
#include <thread>

namespace weir {
namespace {

// The first line of a pseudo file; empty if it can't be read.
std::string read_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

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

// The least quota of the cgroup at `path` below `mount` and of its ancestors. A container without a cgroup
// namespace sees the host's `path`, which it cannot read: then the mount itself is the cgroup.
template <typename QuotaOf>
std::optional<double> least_quota(const std::string& mount, std::string path, QuotaOf quota_of_folder) {
  std::optional<double> least;
  const auto look = [&](const std::string& folder) {
    const std::optional<double> quota = quota_of_folder(folder);
    if (quota && (!least || *quota < *least)) least = quota;
  };
  // A path that begins with "/.." is outside our cgroup namespace, so it can't be read.
  if (!path.starts_with('/') || path.starts_with("/..")) path.clear();
  for (; path.size() > 1; path.erase(path.rfind('/'))) look(mount + path);
  look(mount);
  return least;
}

bool has_controller(std::string_view list, std::string_view name) {
  for (;;) {
    const auto comma = list.find(',');
    if (list.substr(0, comma) == name) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
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
  const std::string cgroups = root + "/sys/fs/cgroup";
  std::optional<double> least;
  // "0::/system.slice/weir.service" (version 2), "4:cpu,cpuacct:/docker/0123" (version 1).
  std::ifstream lines(root + "/proc/self/cgroup");
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first == std::string::npos ? first : first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    std::optional<double> quota;
    if (controllers.empty()) {
      quota = least_quota(cgroups, path, quota_v2);
    } else if (has_controller(controllers, "cpu")) {
      std::string mount = cgroups;
      mount.append("/").append(controllers);
      quota = least_quota(mount, path, quota_v1);
      // The usual link, for a mount that has the two names in the other order.
      if (!quota) quota = least_quota(cgroups + "/cpu", path, quota_v1);
    }
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
