#include "process/cgroup.h"

#include <fstream>

namespace weir {
namespace {

// Adds the folder at `path` below `mount`, its ancestors, and the mount.
void add_with_ancestors(const std::string& mount, std::string path, int version,
                        std::vector<CgroupFolder>& folders) {
  // A path that begins with "/.." is outside our cgroup namespace, so it can't be read.
  if (!path.starts_with('/') || path.starts_with("/..")) path.clear();
  for (; path.size() > 1; path.erase(path.rfind('/'))) folders.push_back({mount + path, version});
  folders.push_back({mount, version});
}

bool has_controller(std::string_view list, std::string_view name) {
  for (;;) {
    const auto comma = list.find(',');
    if (list.substr(0, comma) == name) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace

std::string read_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::vector<CgroupFolder> cgroup_folders(std::string_view controller, const std::string& root) {
  const std::string cgroups = root + "/sys/fs/cgroup";
  std::vector<CgroupFolder> folders;
  // "0::/system.slice/weir.service" (version 2), "4:cpu,cpuacct:/docker/0123" (version 1).
  std::ifstream lines(root + "/proc/self/cgroup");
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first == std::string::npos ? first : first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers.empty()) {
      add_with_ancestors(cgroups, path, 2, folders);
    } else if (has_controller(controllers, controller)) {
      add_with_ancestors(std::string(cgroups).append("/").append(controllers), path, 1, folders);
      // The usual link, for a mount that has several names in another order.
      const std::string link = cgroups + "/" + std::string(controller);
      if (controllers != controller) add_with_ancestors(link, path, 1, folders);
    }
  }
  return folders;
}

}  // namespace weir
