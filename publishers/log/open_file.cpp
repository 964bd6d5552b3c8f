#include "publishers/log/open_file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace weir {
namespace {

using Kind = OpenFailure::Kind;
constexpr rlim_t kSpareDescriptors = 32;

OpenFailure failure_of(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return {};
    case EMFILE:
    case ENFILE:
      return {Kind::kNoDescriptors, "too many files are open"};
    default:
      return {Kind::kRefused, std::strerror(error)};
  }
}

// The kernel gives out the lowest free number, so a high one says that few are left.
bool is_spare(int fd) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return false;
  return static_cast<rlim_t>(fd) >= limit.rlim_cur - std::min(kSpareDescriptors, limit.rlim_cur / 4);
}

}  // namespace

std::shared_ptr<OpenFile> OpenFile::open(const std::string& path, OpenFailure* failure) {
  OpenFailure ignored;
  OpenFailure& why = failure == nullptr ? ignored : *failure;
  const PathStatus status = status_of(path);
  if (status.error != 0) return why = failure_of(status.error), nullptr;
  if (!status.is_file()) return why = {Kind::kNotAFile, kind_of(status.mode)}, nullptr;
  // O_NONBLOCK: by now a FIFO may be there.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return why = failure_of(errno), nullptr;
  auto file = std::make_shared<OpenFile>(fd);
  if (!S_ISREG(file->mode_)) return why = {Kind::kNotAFile, kind_of(file->mode_)}, nullptr;
  if (is_spare(fd)) return why = failure_of(EMFILE), nullptr;
  return file;
}

OpenFile::OpenFile(int fd) : fd_(fd), opened_at_(std::chrono::steady_clock::now()) {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) return;
  id_ = {status.st_dev, status.st_ino};
  mode_ = status.st_mode;
}

OpenFile::~OpenFile() { ::close(fd_); }

off_t OpenFile::size() const {
  struct stat status {};
  return ::fstat(fd_, &status) == 0 ? status.st_size : 0;
}

bool OpenFile::has_a_link() const {
  struct stat status {};
  return ::fstat(fd_, &status) != 0 || status.st_nlink > 0;
}

}  // namespace weir
