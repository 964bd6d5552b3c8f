// The control groups that this process belongs to, by version 1 or 2 of the interface.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir {

struct CgroupFolder {
  std::string path;
  int version;  // 1 or 2.
};

// The folders of this process' cgroup and of its ancestors, for one controller ("cpu", "memory"), the own one
// first. Some may not exist: a container without a cgroup namespace sees the host's path, which it can't read.
// The mount, which is then the cgroup, always follows. Tests put `root` before /proc and /sys.
std::vector<CgroupFolder> cgroup_folders(std::string_view controller, const std::string& root = "");

// The first line of a pseudo file; empty if it can't be read.
std::string read_line(const std::string& path);

}  // namespace weir
