#include "publishers/log/path_status.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>

namespace weir {
namespace {

constexpr std::int64_t kNanoseconds = 1'000'000'000;

// For kernels and sandboxes without statx().
PathStatus plain_status_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {.error = errno};
  return {.id = {status.st_dev, status.st_ino}, .mode = status.st_mode, .size = status.st_size};
}

std::int64_t birth_in(const struct statx& status) {
  if ((status.stx_mask & STATX_BTIME) == 0) return 0;
  return status.stx_btime.tv_sec * kNanoseconds + status.stx_btime.tv_nsec;
}

}  // namespace

bool PathStatus::is_nothing() const { return error == ENOENT || error == ENOTDIR; }

bool PathStatus::is_file() const { return error == 0 && S_ISREG(mode); }

PathStatus status_of(const std::string& path) {
  struct statx status {};
  if (::statx(AT_FDCWD, path.c_str(), AT_STATX_FORCE_SYNC, STATX_BASIC_STATS | STATX_BTIME, &status) != 0) {
    const bool is_missing = errno == ENOSYS || errno == EPERM || errno == EINVAL;
    return is_missing ? plain_status_of(path) : PathStatus{.error = errno};
  }
  PathStatus result{.id = {::makedev(status.stx_dev_major, status.stx_dev_minor), status.stx_ino},
                    .mode = status.stx_mode,
                    .size = static_cast<off_t>(status.stx_size)};
  result.born = birth_in(status);
  return result;
}

std::int64_t birth_of(int file) {
  struct statx status {};
  return ::statx(file, "", AT_EMPTY_PATH, STATX_BTIME, &status) == 0 ? birth_in(status) : 0;
}

std::string kind_of(mode_t mode) {
  if (S_ISREG(mode)) return "";
  if (S_ISDIR(mode)) return "is a directory";
  if (S_ISFIFO(mode)) return "is a FIFO";
  if (S_ISSOCK(mode)) return "is a socket";
  return "is a device";
}

}  // namespace weir
