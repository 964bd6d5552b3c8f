#include "process/usage.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fstream>
#include <sstream>

#include "process/cgroup.h"

namespace weir {
namespace {

// The program's static objects are made as it starts.
const std::chrono::system_clock::time_point kStarted = std::chrono::system_clock::now();

std::uint64_t resident_bytes() {
  std::istringstream statm(read_line("/proc/self/statm"));
  std::uint64_t total_pages = 0;
  std::uint64_t resident_pages = 0;
  if (!(statm >> total_pages >> resident_pages)) return 0;
  return resident_pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

double processor_seconds() {
  timespec time{};
  if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) != 0) return 0;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

std::uint64_t open_descriptors() {
  constexpr const char* kFolder = "/proc/self/fd";
  // Since Linux 6.2 the size is the number.
  struct stat status {};
  if (::stat(kFolder, &status) == 0 && status.st_size > 0) return static_cast<std::uint64_t>(status.st_size);
  DIR* const folder = ::opendir(kFolder);
  if (folder == nullptr) return 0;
  std::uint64_t entries = 0;
  while (::readdir(folder) != nullptr) ++entries;
  ::closedir(folder);
  constexpr std::uint64_t kOthers = 3;  // ".", ".." and the folder's own descriptor.
  return entries > kOthers ? entries - kOthers : 0;
}

std::uint64_t descriptors_max() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

// A number alone in a pseudo file. "max" is none, and neither is version 1's largest number.
std::optional<std::uint64_t> read_bytes(const std::string& path) {
  constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 60;
  std::istringstream line(read_line(path));
  std::uint64_t bytes = 0;
  return line >> bytes && bytes < kNoLimit ? std::optional(bytes) : std::nullopt;
}

// One row of memory.stat.
std::uint64_t read_stat(const std::string& path, const std::string& wanted) {
  std::ifstream file(path);
  std::string name;
  for (std::uint64_t bytes = 0; file >> name >> bytes;) {
    if (name == wanted) return bytes;
  }
  return 0;
}

}  // namespace

ProcessUsage process_usage() {
  return {resident_bytes(), processor_seconds(), open_descriptors(), descriptors_max(),
          std::chrono::duration<double>(kStarted.time_since_epoch()).count()};
}

std::optional<MemoryLimit> memory_limit(const std::string& root) {
  std::optional<MemoryLimit> tightest;
  for (const CgroupFolder& folder : cgroup_folders("memory", root)) {
    const bool is_2 = folder.version == 2;
    const auto limit = read_bytes(folder.path + (is_2 ? "/memory.max" : "/memory.limit_in_bytes"));
    const auto used = read_bytes(folder.path + (is_2 ? "/memory.current" : "/memory.usage_in_bytes"));
    if (!limit || !used || (tightest && tightest->limit_bytes <= *limit)) continue;
    const std::uint64_t droppable =
        read_stat(folder.path + "/memory.stat", is_2 ? "inactive_file" : "total_inactive_file");
    tightest = MemoryLimit{*used - std::min(*used, droppable), *limit};
  }
  return tightest;
}

}  // namespace weir
