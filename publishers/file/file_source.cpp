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

// "is a directory"; empty for a regular file.
std::string why_no_file(mode_t mode) {
  if (S_ISREG(mode)) return {};
  if (S_ISDIR(mode)) return "is a directory";
  if (S_ISFIFO(mode)) return "is a FIFO";
  if (S_ISSOCK(mode)) return "is a socket";
  return "is a device";
}

Error cannot_open(const std::string& path) {
  return Error{"cannot open " + one_line(path) + ": " + std::strerror(errno)};
}

// As pread(2), across signals.
ssize_t read_at(int fd, char* to, std::size_t count, std::uint64_t offset) {
  for (;;) {
    const auto n = ::pread(fd, to, count, static_cast<off_t>(offset));
    if (n >= 0 || errno != EINTR) return n;
  }
}

}  // namespace

Result<FileSource> FileSource::open(const std::string& path) {
  // Opening a device can do something to it (rewind a tape), so look first.
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return cannot_open(path);
  if (const auto why = why_no_file(status.st_mode); !why.empty()) {
    return Error{one_line(path) + " " + why + ", not a regular file"};
  }
  // O_NONBLOCK: open() must not wait for the writer of a FIFO that has taken the name since.
  FileSource source(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK), path);
  if (source.fd_ < 0) return cannot_open(path);
  if (const auto error = source.take_size()) return *error;
  const auto is_true = source.ends_at_its_size();
  if (!is_true) return is_true.error();
  if (*is_true) return source;
  // A file that is being written to has another size by now. One that says the same again does not tell the
  // truth.
  const auto said = source.size_;
  if (const auto error = source.take_size()) return *error;
  if (source.size_ != said) return source;
  if (const auto error = source.spool()) return *error;
  return source;
}

FileSource::FileSource(int fd, std::string path)
    : fd_(fd), path_(std::move(path)), name_(path_.substr(path_.rfind('/') + 1)) {}

FileSource::FileSource(FileSource&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      name_(std::move(other.name_)),
      size_(other.size_),
      spooled_(std::move(other.spooled_)) {}

FileSource::~FileSource() {
  if (fd_ >= 0) ::close(fd_);
}

std::optional<Error> FileSource::take_size() {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) return cannot_open(path_);
  if (const auto why = why_no_file(status.st_mode); !why.empty()) {
    return Error{one_line(path_) + " " + why + ", not a regular file"};
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
  return std::nullopt;
}

Result<bool> FileSource::ends_at_its_size() const {
  char byte = 0;
  const auto last = size_ == 0 ? 1 : read_at(fd_, &byte, 1, size_ - 1);
  const auto behind = read_at(fd_, &byte, 1, size_);
  if (last < 0 || behind < 0) return failed_to_read();
  return last == 1 && behind == 0;
}

std::optional<Error> FileSource::spool() {
  std::string content(kSpooledBytesMax + 1, '\0');
  std::size_t done = 0;
  while (done < content.size()) {
    const auto n = read_at(fd_, content.data() + done, content.size() - done, done);
    if (n < 0) return failed_to_read();
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  if (done > kSpooledBytesMax) {
    return Error{one_line(path_) + " says it has " + std::to_string(size_) + " bytes, and has more than " +
                 std::to_string(kSpooledBytesMax) + ": copy it to a file first"};
  }
  content.resize(done);
  size_ = done;
  spooled_ = std::move(content);
  return std::nullopt;
}

Result<std::string> FileSource::read(std::uint64_t offset, std::size_t count) const {
  assert(offset <= size_);
  if (spooled_) return spooled_->substr(static_cast<std::size_t>(offset), count);
  std::string bytes(static_cast<std::size_t>(std::min<std::uint64_t>(count, size_ - offset)), '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const auto n = read_at(fd_, bytes.data() + done, bytes.size() - done, offset + done);
    if (n < 0) return failed_to_read();
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

bool FileSource::has_its_size() const {
  if (spooled_) return true;
  struct stat status {};
  return ::fstat(fd_, &status) == 0 && static_cast<std::uint64_t>(status.st_size) == size_;
}

Error FileSource::failed_to_read() const {
  return Error{"cannot read " + one_line(path_) + ": " + std::strerror(errno)};
}

}  // namespace weir
