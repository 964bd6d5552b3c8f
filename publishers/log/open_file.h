// A file held open: its content can be read whatever happens to its name.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>

#include "publishers/log/path_status.h"

namespace weir {

// Why a file can't be opened.
struct OpenFailure {
  enum class Kind {
    kNothing,        // Nothing is there yet.
    kNotAFile,       // Something else is: a directory, a FIFO.
    kRefused,        // For one without permission, or the disk is faulty.
    kNoDescriptors,  // Too many files are open.
  };
  Kind kind = Kind::kNothing;
  std::string reason = {};  // One phrase; empty for kNothing.
};

// Compare two files while both are open: the kernel gives a removed file's inode to another file only after
// the last descriptor is closed.
class OpenFile {
 public:
  // nullptr unless `path` is a regular file that can be read; `failure` then says why. Never waits for a FIFO's
  // writer, and never opens what isn't a file: opening a device may do something.
  // Limits: leaves some descriptors to others, so that the way to Redis can be opened again.
  static std::shared_ptr<OpenFile> open(const std::string& path, OpenFailure* failure = nullptr);
  explicit OpenFile(int fd);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  int fd() const { return fd_; }
  const FileId& id() const { return id_; }
  dev_t device() const { return id_.device; }
  ino_t inode() const { return id_.inode; }
  bool is_same(const OpenFile& other) const { return id_ == other.id_; }
  off_t size() const;       // Now.
  bool has_a_link() const;  // False once it was removed and only its descriptors keep it.
  std::chrono::steady_clock::time_point opened_at() const { return opened_at_; }

  // Both are set before the file is shared.
  bool was_there_at_start = false;
  int watch = -1;  // Its inotify watch.

 private:
  const int fd_;
  FileId id_;
  mode_t mode_ = 0;
  std::chrono::steady_clock::time_point opened_at_;
};

}  // namespace weir
