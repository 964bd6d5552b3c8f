#include "publishers/log/inotify.h"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

namespace weir {
namespace {

int open_queue() {
  const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0) {
    spdlog::warn("no news of files from the kernel: {} (fs.inotify.max_user_instances). Only looks at times",
                 std::strerror(errno));
  }
  return fd;
}

}  // namespace

Inotify::Inotify(bool is_enabled) : fd_(is_enabled ? open_queue() : -1) {}

Inotify::~Inotify() {
  if (fd_ >= 0) ::close(fd_);
}

int Inotify::watch(const std::string& path, std::uint32_t events) {
  if (fd_ < 0) return -1;
  const int watch = ::inotify_add_watch(fd_, path.c_str(), events);
  if (watch < 0 && errno == ENOSPC && !std::exchange(has_told_, true)) {
    spdlog::warn(
        "no news of some files from the kernel: fs.inotify.max_user_watches is reached. Only looks at "
        "them at times");
  }
  return watch;
}

void Inotify::unwatch(int watch) const {
  if (fd_ >= 0 && watch >= 0) ::inotify_rm_watch(fd_, watch);
}

void Inotify::read(const Take& take) const {
  // Bounded by what is there now: writers may add to it faster than it is read.
  int waiting = 0;
  if (fd_ < 0 || ::ioctl(fd_, FIONREAD, &waiting) != 0) return;
  alignas(inotify_event) std::array<char, 16'384> buffer;
  while (waiting > 0) {
    const auto size = ::read(fd_, buffer.data(), buffer.size());
    if (size <= 0) return;
    waiting -= static_cast<int>(size);
    for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
      const auto& event = *reinterpret_cast<const inotify_event*>(buffer.data() + at);
      at += sizeof(inotify_event) + event.len;
      take(event, std::string(event.name, ::strnlen(event.name, event.len)));
    }
  }
}

void Inotify::wait(std::chrono::milliseconds time) const {
  pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
  ::poll(&ready, 1, static_cast<int>(time.count()));
}

}  // namespace weir
