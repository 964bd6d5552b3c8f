#include "publishers/log/watcher.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>

#include "process/thread.h"

namespace weir {
namespace {

// A file that is written to all the time wakes the reader at most this often.
constexpr int kQuietMilliseconds = 2;
// How often to ask whether each directory is still the same.
constexpr std::chrono::seconds kRenewal{1};

}  // namespace

Watcher::Watcher(Options options)
    : options_(options),
      wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      bytes_(options.uses_inotify),
      names_(options.uses_inotify) {
  assert(wake_fd_ >= 0);
  thread_ = start_thread("weir-watch", [this] { run(); });
}

Watcher::~Watcher() {
  is_over_ = true;
  wake();
  thread_.join();
  ::close(wake_fd_);
}

std::uint64_t Watcher::changes() const {
  const std::lock_guard lock(mutex_);
  return changes_;
}

bool Watcher::wait(std::uint64_t seen, Clock::time_point until, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, stop, until, [&] { return changes_ != seen; });
}

void Watcher::add(WatchedName& name) {
  {
    const std::lock_guard lock(look_mutex_);
    names_.add(name);
    if (!name.name.empty()) polled_.emplace(++last_number_, &name);
    name.look();
    if (!names_.has_due()) return;
  }
  wake();
}

void Watcher::remove(WatchedName& name) {
  const std::lock_guard lock(look_mutex_);
  names_.remove(name);
  std::erase_if(polled_, [&](const auto& entry) { return entry.second == &name; });
}

void Watcher::look_at_all() {
  {
    const std::lock_guard lock(look_mutex_);
    names_.read();
    look_at_due();
  }
  look_at_each();
  tell();
}

bool Watcher::claim(const std::shared_ptr<const OpenFile>& file, const std::string& path) {
  auto& claim = claims_[file->id()];
  const auto born = birth_of(file->fd());
  // Once nobody has it open, another file may have got its inode.
  const bool is_same_file = !claim.file.expired() || (born != 0 && claim.born == born);
  if (is_same_file && claim.path != path) return false;
  claim = {.file = file, .path = path, .born = born, .number = ++last_claim_};
  if (claims_.size() > 2 * kClaimsMax) {
    std::erase_if(claims_, [this](const auto& entry) {
      return entry.second.file.expired() && entry.second.number + kClaimsMax <= last_claim_;
    });
  }
  return true;
}

void Watcher::disclaim(const FileId& file) {
  const std::lock_guard lock(look_mutex_);
  claims_.erase(file);
}

void Watcher::run() {
  auto next_poll = Clock::now() + options_.poll;
  for (;;) {
    std::array<pollfd, 3> fds{{{wake_fd_, POLLIN, 0}, {names_.fd(), POLLIN, 0}, {bytes_.fd(), POLLIN, 0}}};
    ::poll(fds.data(), fds.size(), sleep_milliseconds(next_poll));
    if (is_over_) return;
    eventfd_t ignored = 0;
    ::eventfd_read(wake_fd_, &ignored);
    const bool has_bytes = bytes_.read();
    bool has_news = has_bytes;
    {
      const std::lock_guard lock(look_mutex_);
      names_.read();
      has_news |= look_at_due();
    }
    if (Clock::now() >= next_poll) {
      look_at_each();
      has_news = true;
      next_poll = Clock::now() + options_.poll;
    }
    if (has_news) tell();
    fds[0].revents = 0;
    if (has_bytes) ::poll(fds.data(), 1, kQuietMilliseconds);
  }
}

int Watcher::sleep_milliseconds(Clock::time_point until) {
  const std::lock_guard lock(look_mutex_);
  if (names_.has_due()) return 0;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
  return std::max(0, static_cast<int>(left.count()));
}

// Requires look_mutex_. False if nothing is due.
bool Watcher::look_at_due() {
  const auto due = names_.take_due();
  for (WatchedName* name : due) name->look();
  return !due.empty();
}

// Lets others have the lock between two names: a thousand take a moment.
void Watcher::look_at_each() {
  std::uint64_t at = 0;
  {
    const std::lock_guard lock(look_mutex_);
    if (Clock::now() >= next_renewal_) {
      next_renewal_ = Clock::now() + kRenewal;
      names_.watch_replaced();
    } else {
      names_.watch_missing();
    }
  }
  for (;;) {
    const std::lock_guard lock(look_mutex_);
    const auto next = polled_.upper_bound(at);
    if (next == polled_.end()) return;
    at = next->first;
    next->second->look();
  }
}

void Watcher::tell() {
  {
    const std::lock_guard lock(mutex_);
    ++changes_;
  }
  changed_.notify_all();
}

void Watcher::wake() const { ::eventfd_write(wake_fd_, 1); }

}  // namespace weir
