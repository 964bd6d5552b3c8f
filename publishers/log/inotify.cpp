#include "publishers/log/inotify.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <utility>

namespace weir {
namespace {

constexpr std::uint32_t kDirectoryEvents =
    IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_MOVE_SELF | IN_DELETE_SELF | IN_ONLYDIR;

void tell(const inotify_event& event, RenameTracker& tracker) {
  const std::string name(event.name, ::strnlen(event.name, event.len));
  if (event.mask & IN_CREATE) tracker.created(name);
  if (event.mask & IN_MOVED_FROM) tracker.moved_from(name, event.cookie);
  if (event.mask & IN_MOVED_TO) tracker.moved_to(name, event.cookie);
  if (event.mask & IN_DELETE) tracker.removed(name);
}

}  // namespace

Inotify::Inotify(std::string directory, bool is_enabled)
    : directory_(std::move(directory)), fd_(is_enabled ? ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC) : -1) {}

Inotify::~Inotify() {
  if (fd_ >= 0) ::close(fd_);
}

bool Inotify::watch_directory() {
  if (fd_ < 0 || directory_watch_ >= 0) return false;
  directory_watch_ = ::inotify_add_watch(fd_, directory_.c_str(), kDirectoryEvents);
  return directory_watch_ >= 0;
}

int Inotify::watch_file(int file) const {
  if (fd_ < 0) return -1;
  // Watch by descriptor: by now another file may have its name.
  return ::inotify_add_watch(fd_, ("/proc/self/fd/" + std::to_string(file)).c_str(), IN_MODIFY);
}

void Inotify::unwatch_file(int watch) const {
  if (fd_ >= 0 && watch >= 0) ::inotify_rm_watch(fd_, watch);
}

Inotify::News Inotify::read(RenameTracker& tracker) {
  News news;
  alignas(inotify_event) std::array<char, 16'384> buffer;
  for (;;) {
    const auto size = fd_ < 0 ? -1 : ::read(fd_, buffer.data(), buffer.size());
    if (size <= 0) return news;
    for (std::size_t at = 0; at < static_cast<std::size_t>(size);) {
      const auto& event = *reinterpret_cast<const inotify_event*>(buffer.data() + at);
      at += sizeof(inotify_event) + event.len;
      if (event.mask & IN_Q_OVERFLOW) {
        tracker.forget();
        news.names = true;
      } else if (event.wd != directory_watch_) {
        news.bytes = true;
      } else if (event.mask & (IN_MOVE_SELF | IN_DELETE_SELF | IN_IGNORED)) {
        // The directory has left its path: another may be there.
        ::inotify_rm_watch(fd_, directory_watch_);
        directory_watch_ = -1;
        tracker.forget();
        news.names = true;
      } else {
        tell(event, tracker);
        news.names = true;
      }
    }
  }
}

void Inotify::wait(std::chrono::milliseconds time) const {
  pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
  ::poll(&ready, 1, static_cast<int>(time.count()));
}

}  // namespace weir
