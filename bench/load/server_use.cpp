#include "bench/load/server_use.h"

#include <unistd.h>

#include <fstream>
#include <iterator>
#include <sstream>

namespace weir::bench {

Result<ServerUse> use_of(const std::vector<std::string>& pids) {
  ServerUse use;
  for (const std::string& pid : pids) {
    std::ifstream stat("/proc/" + pid + "/stat");
    const std::string line{std::istreambuf_iterator<char>(stat), {}};
    const std::size_t name_end = line.rfind(')');
    if (name_end == std::string::npos) return Error{"no process " + pid};
    // After the name: state is the third field, utime and stime are the 14th and 15th (proc(5)).
    std::istringstream fields(line.substr(name_end + 1));
    std::string skipped;
    for (int i = 3; i < 14; ++i) fields >> skipped;
    double user = 0, system = 0;
    fields >> user >> system;
    use.cpu_seconds += (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
    std::ifstream rollup("/proc/" + pid + "/smaps_rollup");
    for (std::string row; std::getline(rollup, row);) {
      if (row.starts_with("Pss:")) use.memory_bytes += std::stoull(row.substr(4)) * 1024;
    }
  }
  return use;
}

std::uint64_t kernel_socket_bytes() {
  std::ifstream file("/proc/net/sockstat");
  for (std::string row; std::getline(file, row);) {
    const std::size_t at = row.find(" mem ");
    if (row.starts_with("TCP:") && at != std::string::npos) {
      return std::stoull(row.substr(at + 5)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    }
  }
  return 0;
}

}  // namespace weir::bench
