#include "publishers/file/file_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

#include "process/readable.h"
#include "publishers/program/sha256.h"

namespace weir {
namespace {

constexpr std::size_t kHashBytes = 256 << 10;

}  // namespace

Result<FileSource> FileSource::open(const std::string& path) {
  // O_NONBLOCK: open() must not wait for a FIFO's writer.
  FileSource source(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK), path);
  struct stat status {};
  if (source.fd_ < 0 || ::fstat(source.fd_, &status) != 0) {
    return Error{"cannot open " + one_line(path) + ": " + std::strerror(errno)};
  }
  if (!S_ISREG(status.st_mode)) return Error{one_line(path) + " is not a regular file"};
  source.size_ = static_cast<std::uint64_t>(status.st_size);
  source.modified_ = status.st_mtim;
  return source;
}

FileSource::FileSource(int fd, std::string path)
    : fd_(fd), path_(std::move(path)), name_(path_.substr(path_.rfind('/') + 1)) {}

FileSource::FileSource(FileSource&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      name_(std::move(other.name_)),
      size_(other.size_),
      modified_(other.modified_) {}

FileSource::~FileSource() {
  if (fd_ >= 0) ::close(fd_);
}

Result<std::string> FileSource::read(std::uint64_t offset, std::size_t count) const {
  assert(offset <= size_);
  std::string bytes(static_cast<std::size_t>(std::min<std::uint64_t>(count, size_ - offset)), '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const auto n = ::pread(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error{"cannot read " + one_line(path_) + ": " + std::strerror(errno)};
    if (n == 0) return Error{one_line(path_) + " became shorter while it was being published"};
    done += static_cast<std::size_t>(n);
  }
  return bytes;
}

Result<std::string> FileSource::sha256(const std::stop_token& stop) const {
  Sha256 sum;
  for (std::uint64_t offset = 0; offset < size_ && !stop.stop_requested();) {
    const auto bytes = read(offset, kHashBytes);
    if (!bytes) return bytes.error();
    sum.add(*bytes);
    offset += bytes->size();
  }
  return sum.finish();
}

bool FileSource::is_unchanged() const {
  struct stat status {};
  return ::fstat(fd_, &status) == 0 && static_cast<std::uint64_t>(status.st_size) == size_ &&
         status.st_mtim.tv_sec == modified_.tv_sec && status.st_mtim.tv_nsec == modified_.tv_nsec;
}

}  // namespace weir
