#include "publishers/log/file_watch.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <cassert>
#include <utility>

namespace weir {
namespace {

// A rename is visible a moment before its event is.
constexpr std::chrono::milliseconds kEventDelayMax{10};
// Log rotation makes a file first and lets others read it a moment later.
constexpr std::chrono::milliseconds kPatience{100};
// How much is done for one path before the others have their turn.
constexpr int kRoundsMax = 64;

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

FileWatch::FileWatch(Watcher& watcher, std::string path)
    : watcher_(watcher),
      path_(std::move(path)),
      name_(directory_of(path_), path_.substr(path_.rfind('/') + 1), [this] { look(); }) {
  watcher_.add(name_);
}

FileWatch::~FileWatch() {
  watcher_.remove(name_);
  for (const auto& file : files_) {
    watcher_.bytes().unwatch(file->watch, changes_);
    watcher_.disclaim(file->id());
  }
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

bool FileWatch::holds(const FileId& id) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(files_.begin(), files_.end(), [&](const auto& held) { return held->id() == id; });
}

void FileWatch::drop_current() {
  std::shared_ptr<const OpenFile> dropped;
  {
    const std::lock_guard lock(mutex_);
    assert(files_.size() > 1);
    dropped = std::move(files_.front());
    files_.pop_front();
  }
  watcher_.bytes().unwatch(dropped->watch, changes_);
}

std::string FileWatch::why_not() const {
  const std::lock_guard lock(mutex_);
  return trouble_.reason;
}

bool FileWatch::is_removed() const {
  const std::lock_guard lock(mutex_);
  return is_removed_ && files_.size() == 1;
}

void FileWatch::look() {
  int round = 0;
  while (round < kRoundsMax && look_once()) ++round;
  if (round == kRoundsMax) watcher_.names().mark(name_);
  if (const auto lost = name_.tracker.take_lost()) {
    spdlog::warn("{} files were removed from {} before they could be opened", lost, path_);
  }
  has_started_ = true;
  ++changes_;
}

// Opens at most one file. False once there is nothing more to do now.
bool FileWatch::look_once() { return name_.tracker.has_arrival() ? open_arrival() : open_path(); }

bool FileWatch::open_path() {
  const PathStatus status = status_of(path_);
  const auto newest = last();
  const bool is_removed = status.is_nothing() && newest && !newest->has_a_link();
  {
    const std::lock_guard lock(mutex_);
    is_removed_ = is_removed;
  }
  if (status.is_nothing()) return note(""), false;
  if (status.is_file()) {
    const bool is_another = another_ && another_->id == status.id && another_->born == status.born;
    if (is_another || holds(status.id)) return note_success(), false;
  }
  OpenFailure failure;
  auto file = OpenFile::open(path_, &failure);
  if (!file) return note(failure.reason), false;
  if (holds(file->id())) return note_success(), false;
  // If there is news of how the file got there, follow that: other files may have had the name before it.
  watcher_.names().read();
  if (name_.tracker.has_arrival()) return true;
  hold(std::move(file));
  return false;
}

// Opens the oldest arrival by its present name. If an event about it comes meanwhile, the name was out of
// date: then it takes nothing, and look() tries again. False if it has to wait.
bool FileWatch::open_arrival() {
  auto& tracker = name_.tracker;
  const auto arrival = tracker.first();
  const auto is_unchanged = [&] {
    watcher_.names().read();
    return tracker.has_arrival() && tracker.first().id == arrival.id &&
           tracker.first().changes == arrival.changes;
  };
  OpenFailure failure;
  auto file = open(arrival.name, failure);
  if (!is_unchanged()) return true;
  const bool is_gone = !file && failure.kind == OpenFailure::Kind::kNothing;
  const auto deadline = Clock::now() + kEventDelayMax;
  while (is_gone && Clock::now() < deadline) {
    watcher_.names().wait(std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()));
    if (!is_unchanged()) return true;
  }
  const bool is_at_path = arrival.name == name_.name;
  const bool is_refused = !file && failure.kind == OpenFailure::Kind::kRefused;
  if (failure.kind == OpenFailure::Kind::kNoDescriptors || (is_refused && is_at_path)) {
    return note(failure.reason), false;
  }
  tracker.take_first();
  if (file) {
    hold(std::move(file));
  } else if (is_refused) {
    spdlog::warn("a file that was at {} is not read: {}", path_, failure.reason);
  } else if (is_gone && !(is_at_path && is_link())) {
    spdlog::warn("a file at {} was gone before it could be opened", path_);
  }
  return true;
}

std::shared_ptr<OpenFile> FileWatch::open(const std::string& name, OpenFailure& failure) {
  return name.empty() ? nullptr : OpenFile::open(name_.directory + "/" + name, &failure);
}

// A link may lead nowhere yet.
bool FileWatch::is_link() const {
  struct stat status {};
  return ::lstat(path_.c_str(), &status) == 0 && S_ISLNK(status.st_mode);
}

void FileWatch::hold(std::shared_ptr<OpenFile> file) {
  note_success();
  if (holds(file->id())) return;
  if (!watcher_.claim(file, path_)) {
    spdlog::debug("{} is a file that is read under another path", path_);
    const PathStatus status = status_of(path_);
    if (status.id == file->id()) another_ = status;
    return;
  }
  file->was_there_at_start = !has_started_;
  file->watch = watcher_.bytes().watch(file->fd(), changes_);
  std::shared_ptr<const OpenFile> given_up;
  {
    const std::lock_guard lock(mutex_);
    if (files_.size() >= kFilesMax) {
      given_up = files_[1];
      files_.erase(files_.begin() + 1);
    }
    files_.push_back(std::move(file));
    is_removed_ = false;
  }
  if (!given_up) return;
  watcher_.bytes().unwatch(given_up->watch, changes_);
  spdlog::warn("{}: {} rotated files wait to be read: gave up the oldest one, {} bytes", path_, kFilesMax,
               given_up->size());
}

// Warns of a reason that lasts; an empty one means that nothing is at the path.
void FileWatch::note(const std::string& reason) {
  const std::lock_guard lock(mutex_);
  if (trouble_.reason != reason) trouble_ = {.reason = reason, .since = Clock::now()};
  const bool lasts = !has_started_ || Clock::now() - trouble_.since >= kPatience;
  if (reason.empty() || !lasts || !watcher_.warns() || std::exchange(trouble_.is_told, true)) return;
  spdlog::warn("cannot read {}: {}; {}trying again", path_, reason,
               files_.empty() ? "" : "going on with the file that was there before, and ");
}

void FileWatch::note_success() {
  const std::lock_guard lock(mutex_);
  if (trouble_.is_told) spdlog::info("{} can be read now", path_);
  trouble_ = {};
}

}  // namespace weir
