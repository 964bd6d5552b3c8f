// Finds the files that log rotation has made of a log.
//
// Threads: any; each call looks at the disk.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

struct RotatedFile {
  std::string path;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t modified_ns = 0;
};

inline constexpr std::size_t kRotatedFilesMax = 64;

// True if log rotation may have made a file of this name of a log of the name `log`: app.log.1,
// app.log-20260101, app-20260101.log, app.1.log, app.log.old. False if it is compressed.
bool is_rotated_name(std::string_view name, std::string_view log);

// The rotated files beside `path`, and beside the file that a link there leads to; the one modified first comes
// first. The newest kRotatedFilesMax of them.
std::vector<RotatedFile> rotated_files(const std::string& path);

}  // namespace weir
