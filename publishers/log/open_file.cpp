#include "publishers/log/open_file.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace weir {

std::shared_ptr<OpenFile> OpenFile::open(const std::string& path) {
  // O_NONBLOCK: a FIFO must not make it wait for a writer.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    if (errno != ENOENT && errno != ENOTDIR) spdlog::debug("cannot open {}: {}", path, std::strerror(errno));
    return nullptr;
  }
  auto file = std::make_shared<OpenFile>(fd);
  if (S_ISREG(file->mode_)) return file;
  spdlog::debug("{} is not a regular file", path);
  return nullptr;
}

OpenFile::OpenFile(int fd) : fd_(fd), opened_at_(std::chrono::steady_clock::now()) {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) return;
  device_ = status.st_dev;
  inode_ = status.st_ino;
  mode_ = status.st_mode;
}

OpenFile::~OpenFile() { ::close(fd_); }

off_t OpenFile::size() const {
  struct stat status {};
  return ::fstat(fd_, &status) == 0 ? status.st_size : 0;
}

}  // namespace weir
