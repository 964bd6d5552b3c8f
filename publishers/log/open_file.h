// A file held open: its content can be read whatever happens to its name.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>

namespace weir {

// Compare two files while both are open: the kernel gives a removed file's inode to another file only after
// the last descriptor is closed.
class OpenFile {
 public:
  // nullptr unless `path` is a regular file that can be read. Never waits for a FIFO's writer.
  static std::shared_ptr<OpenFile> open(const std::string& path);
  explicit OpenFile(int fd);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  int fd() const { return fd_; }
  bool is_same(const OpenFile& other) const { return device_ == other.device_ && inode_ == other.inode_; }
  off_t size() const;  // Now.
  std::chrono::steady_clock::time_point opened_at() const { return opened_at_; }

  // Both are set before the file is shared.
  bool was_there_at_start = false;
  int watch = -1;  // Its inotify watch.

 private:
  const int fd_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  mode_t mode_ = 0;
  std::chrono::steady_clock::time_point opened_at_;
};

}  // namespace weir
