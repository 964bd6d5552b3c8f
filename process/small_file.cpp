#include "process/small_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "process/readable.h"

namespace weir {
namespace {

class Descriptor {
 public:
  // O_NONBLOCK: opening a FIFO without a writer would wait for one.
  explicit Descriptor(const std::string& path)
      : number_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  const int number_;
};

}  // namespace

Result<std::string> read_small_file(const std::string& path, std::size_t bytes_max) {
  const auto failed = [&path](const std::string& what) {
    return Error{"\"" + one_line(path) + "\": " + what};
  };
  const auto system_failed = [&failed](int code) {
    return failed(std::string("can't be read: ") + std::strerror(code));
  };
  // open() would stop at the NUL and read another file.
  if (path.find('\0') != std::string::npos) return failed("is no path: it holds a NUL");
  const Descriptor file(path);
  struct stat status {};
  // open() refuses a socket with ENXIO.
  if (file.number() < 0 && errno == ENXIO) return failed("is no regular file");
  if (file.number() < 0 || ::fstat(file.number(), &status) != 0) return system_failed(errno);
  if (!S_ISREG(status.st_mode)) return failed("is no regular file");
  // One byte more shows the end. The size may be wrong: files in /proc have none.
  constexpr std::size_t kStepBytes = 4 << 10;
  const auto told = static_cast<std::size_t>(std::max<std::int64_t>(status.st_size, 0));
  std::string bytes;
  std::size_t size = 0;
  for (;;) {
    if (size > bytes_max) return failed("is longer than " + bytes_text(bytes_max));
    if (size == bytes.size()) {
      bytes.resize(std::min(std::max(told + 1, size + kStepBytes), bytes_max + 1));
    }
    const ssize_t got = ::read(file.number(), bytes.data() + size, bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_failed(errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace weir
