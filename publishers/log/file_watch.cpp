#include "publishers/log/file_watch.h"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include "process/thread.h"

namespace weir {
namespace {

// A rename is visible a moment before its event is.
constexpr std::chrono::milliseconds kEventDelayMax{10};
// A file that is written to all the time wakes the reader at most this often.
constexpr int kQuietMilliseconds = 2;

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

FileWatch::FileWatch(std::string path, Options options)
    : path_(std::move(path)),
      directory_(directory_of(path_)),
      options_(options),
      wake_fd_(::eventfd(0, EFD_CLOEXEC)),
      inotify_(directory_, options.uses_inotify),
      tracker_(path_.substr(path_.rfind('/') + 1)) {
  assert(wake_fd_ >= 0);
  inotify_.watch_directory();
  look();
  has_started_ = true;
  thread_ = start_thread("weir-watch", [this] { run(); });
}

FileWatch::~FileWatch() {
  ::eventfd_write(wake_fd_, 1);
  thread_.join();
  ::close(wake_fd_);
}

std::shared_ptr<const OpenFile> FileWatch::current() const {
  const std::lock_guard lock(mutex_);
  return files_.empty() ? nullptr : files_.front();
}

std::shared_ptr<const OpenFile> FileWatch::next() const {
  const std::lock_guard lock(mutex_);
  return files_.size() < 2 ? nullptr : files_[1];
}

std::shared_ptr<const OpenFile> FileWatch::last() const {
  const std::lock_guard lock(mutex_);
  return files_.empty() ? nullptr : files_.back();
}

std::size_t FileWatch::held() const {
  const std::lock_guard lock(mutex_);
  return files_.size();
}

void FileWatch::drop_current() {
  const std::lock_guard lock(mutex_);
  assert(files_.size() > 1);
  inotify_.unwatch_file(files_.front()->watch);
  files_.pop_front();
}

std::uint64_t FileWatch::changes() const {
  const std::lock_guard lock(mutex_);
  return changes_;
}

void FileWatch::wait(std::uint64_t seen, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, stop, [&] { return changes_ != seen; });
}

void FileWatch::run() {
  auto looked_at = std::chrono::steady_clock::now();
  for (;;) {
    std::array<pollfd, 2> fds{{{wake_fd_, POLLIN, 0}, {inotify_.fd(), POLLIN, 0}}};
    ::poll(fds.data(), fds.size(), static_cast<int>(options_.poll.count()));
    if (fds[0].revents != 0) return;
    const auto news = inotify_.read(tracker_);
    const auto now = std::chrono::steady_clock::now();
    const bool is_due = now - looked_at >= options_.poll;
    if (inotify_.watch_directory() || news.names || is_due) {
      look();
      looked_at = now;
    }
    tell_reader();
    if (news.bytes) ::poll(fds.data(), 1, kQuietMilliseconds);
  }
}

void FileWatch::look() {
  for (;;) {
    if (tracker_.has_arrival()) {
      open_arrival();
      continue;
    }
    auto file = OpenFile::open(path_);
    if (!file || is_held(*file)) break;
    // If there is news of how the file got there, follow that: other files may have had the name before it.
    inotify_.read(tracker_);
    if (tracker_.has_arrival()) continue;
    hold(std::move(file));
    break;
  }
  if (const auto lost = tracker_.take_lost()) {
    spdlog::warn("{} files were removed from {} before they could be opened", lost, path_);
  }
}

// Opens the oldest arrival by its present name. If an event about it comes meanwhile, the name was out of
// date: then it takes nothing, and look() tries again.
void FileWatch::open_arrival() {
  const auto arrival = tracker_.first();
  const auto is_unchanged = [&] {
    inotify_.read(tracker_);
    return tracker_.has_arrival() && tracker_.first().id == arrival.id &&
           tracker_.first().changes == arrival.changes;
  };
  auto file = arrival.name.empty() ? nullptr : OpenFile::open(directory_ + "/" + arrival.name);
  if (!is_unchanged()) return;
  if (!file) {
    inotify_.wait(kEventDelayMax);
    if (!is_unchanged()) return;
  }
  tracker_.take_first();
  if (!file) {
    spdlog::warn("a file at {} was gone before it could be opened", path_);
  } else if (!is_held(*file)) {
    hold(std::move(file));
  }
}

bool FileWatch::is_held(const OpenFile& file) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(files_.begin(), files_.end(), [&](const auto& held) { return held->is_same(file); });
}

void FileWatch::hold(std::shared_ptr<OpenFile> file) {
  file->was_there_at_start = !has_started_;
  file->watch = inotify_.watch_file(file->fd());
  std::shared_ptr<const OpenFile> given_up;
  {
    const std::lock_guard lock(mutex_);
    if (files_.size() >= kFilesMax) {
      given_up = files_[1];
      files_.erase(files_.begin() + 1);
    }
    files_.push_back(std::move(file));
  }
  if (!given_up) return;
  inotify_.unwatch_file(given_up->watch);
  spdlog::warn("{} rotated files wait to be read: gave up the oldest one, {} bytes", kFilesMax,
               given_up->size());
}

void FileWatch::tell_reader() {
  {
    const std::lock_guard lock(mutex_);
    ++changes_;
  }
  changed_.notify_all();
}

}  // namespace weir
