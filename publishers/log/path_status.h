// Describes what is at a path, without opening it.
#pragma once

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <string>

namespace weir {

// A file, whatever its name. The kernel gives a removed file's inode to another file once nobody has it open.
struct FileId {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileId&) const = default;
  bool operator<(const FileId& other) const {
    return device != other.device ? device < other.device : inode < other.inode;
  }
};

// The file at a path, links followed.
struct PathStatus {
  int error = 0;  // Why nothing is known (errno); 0 if all of this is.
  FileId id = {};
  mode_t mode = 0;
  off_t size = 0;
  std::int64_t born = 0;  // The time of its creation in nanoseconds; 0 if the file system keeps none.

  bool is_nothing() const;  // Nothing is at the path.
  bool is_file() const;     // A regular file is.
};

// Asks the server of a network file system, not the cache.
PathStatus status_of(const std::string& path);
// The time of creation of an open file; 0 if it is not known.
std::int64_t birth_of(int file);

// "is a directory" and the like; empty for a regular file.
std::string kind_of(mode_t mode);

}  // namespace weir
