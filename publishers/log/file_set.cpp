#include "publishers/log/file_set.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace weir {
namespace {

constexpr std::size_t kDirectoriesMax = 16'384;
// How many files that were seen once are remembered beside those that are there.
constexpr std::size_t kRememberedMax = 8'192;
// One part of the time is for looking: with news of a name, and without.
constexpr int kPartWithNews = 10;
constexpr int kPartWithoutNews = 100;

}  // namespace

FileSet::FileSet(Watcher& watcher, const std::vector<std::string>& patterns, std::size_t files_max,
                 IsKnown is_known)
    : watcher_(watcher),
      patterns_(patterns.begin(), patterns.end()),
      files_max_(files_max),
      is_known_(std::move(is_known)) {
  for (const auto& pattern : patterns_) {
    if (!pattern.has_wildcard()) ungiven_.insert(pattern.text());
  }
}

FileSet::~FileSet() {
  for (const auto& [path, directory] : directories_) watcher_.remove(*directory.name);
}

std::vector<std::string> FileSet::look(Clock::time_point now) {
  if (!is_due(now)) return {};
  const auto began = Clock::now();
  has_news_ = false;
  ++looks_;
  auto candidates = expand();
  for (const auto& candidate : candidates) {
    if (followed_.contains(candidate.path)) remember(candidate.path, candidate.status);
    if (looks_ == 1 && candidate.status.is_file()) at_start_.emplace(candidate.path, candidate.status);
  }
  candidates = find_new(std::move(candidates));
  if (!candidates.empty() && looks_ > 1 && followed_.size() < files_max_) {
    // A file that was renamed a moment ago may not be known yet.
    watcher_.look_at_all();
    for (const auto& path : followed_) remember(path, status_of(path));
    candidates = find_new(std::move(candidates));
  }
  auto paths = take(candidates);
  forget_unseen();
  const auto took = Clock::now() - began;
  with_news_from_ = now + kPartWithNews * took;
  without_news_from_ = now + std::max<Clock::duration>(watcher_.poll(), kPartWithoutNews * took);
  return paths;
}

void FileSet::gone(const std::string& path) {
  followed_.erase(path);
  at_start_.erase(path);
  std::erase_if(seen_, [&](const auto& entry) { return entry.second.path == path; });
  has_news_ = true;
}

bool FileSet::was_there_at_start(const std::string& path) const {
  const auto found = at_start_.find(path);
  if (found == at_start_.end()) return false;
  const PathStatus status = status_of(path);
  return status.id == found->second.id && status.born == found->second.born;
}

bool FileSet::is_due(Clock::time_point now) const {
  return looks_ == 0 || now >= without_news_from_ || (has_news_ && now >= with_news_from_);
}

std::vector<FileSet::Candidate> FileSet::expand() {
  std::vector<Candidate> candidates;
  std::set<std::string> paths;
  const PathPattern::Visitor visitor{
      .enters = [this](const std::string& directory) { return watch_directory(directory); },
      .reads = [this](const std::string& directory, int error) { note_read(directory, error); }};
  for (const auto& pattern : patterns_) {
    for (auto& path : pattern.has_wildcard() ? pattern.expand(visitor) : std::vector{pattern.text()}) {
      if (paths.insert(path).second) candidates.push_back({path, status_of(path)});
    }
  }
  std::erase_if(directories_, [this](const auto& entry) {
    const bool is_old = entry.second.look != looks_;
    if (is_old) watcher_.remove(*entry.second.name);
    return is_old;
  });
  return candidates;
}

bool FileSet::watch_directory(const std::string& path) {
  auto found = directories_.find(path);
  if (found == directories_.end()) {
    if (directories_.size() >= kDirectoriesMax) {
      if (!std::exchange(has_too_many_directories_, true)) {
        spdlog::warn("the patterns lead to more than {} directories: leaves out the others", kDirectoriesMax);
      }
      return false;
    }
    auto name = std::make_unique<WatchedName>(path, "", [this] { has_news_ = true; });
    found = directories_.emplace(path, Directory{.name = std::move(name)}).first;
    watcher_.add(*found->second.name);
  }
  found->second.look = looks_;
  return true;
}

void FileSet::note_read(const std::string& directory, int error) {
  int& known = directories_.at(directory).error;
  if (std::exchange(known, error) == error || error == 0 || error == ENOENT || error == ENOTDIR) return;
  spdlog::warn("cannot read the directory {}: {}; trying again", directory, std::strerror(error));
}

std::vector<FileSet::Candidate> FileSet::find_new(std::vector<Candidate> candidates) {
  std::erase_if(candidates, [this](const Candidate& candidate) { return !is_new(candidate); });
  return candidates;
}

bool FileSet::is_new(const Candidate& candidate) {
  const auto& [path, status] = candidate;
  if (followed_.contains(path)) return false;
  if (status.error != 0 || !status.is_file()) {
    // Whoever follows it says why it can't be read.
    return ungiven_.contains(path) || (status.error != 0 && !status.is_nothing());
  }
  const bool is_other = is_seen(status) || (is_known_ && is_known_(status.id.device, status.id.inode));
  if (is_other) remember(path, status);
  return !is_other;
}

bool FileSet::is_seen(const PathStatus& status) const {
  const auto found = seen_.find(status.id);
  if (found == seen_.end() || found->second.born != status.born) return false;
  // Without a time of birth: a smaller file is another one that was given the same inode.
  return status.born != 0 || status.size >= found->second.size;
}

void FileSet::remember(const std::string& path, const PathStatus& status) {
  if (status.error != 0) return;
  auto& seen = seen_[status.id];
  if (seen.look == looks_ && seen.born == status.born) {
    if (seen.path != path && std::exchange(seen.other_path, path) != path) {
      spdlog::debug("{} and {} are the same file: follows it once", seen.path, path);
    }
    return;
  }
  seen.born = status.born;
  seen.size = status.size;
  seen.path = path;
  seen.look = looks_;
}

std::vector<std::string> FileSet::take(const std::vector<Candidate>& candidates) {
  std::vector<std::string> paths;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const auto& [path, status] = candidates[i];
    if (followed_.size() >= files_max_) {
      if (!std::exchange(is_full_, true)) {
        spdlog::warn(
            "{} files more than the {} that are followed at a time (--files-max): {} and others wait",
            candidates.size() - i, files_max_, path);
      }
      return paths;
    }
    const bool is_again = status.error == 0 && is_seen(status);  // Of two new names of one file, the second.
    remember(path, status);
    if (is_again) continue;
    followed_.insert(path);
    ungiven_.erase(path);
    paths.push_back(path);
  }
  is_full_ = false;
  return paths;
}

void FileSet::forget_unseen() {
  std::size_t there = 0;
  for (const auto& entry : seen_) there += entry.second.look == looks_ ? 1 : 0;
  // A directory may be unreadable for a while: what was read there is remembered, within limits.
  const bool are_too_many = seen_.size() > there + kRememberedMax;
  std::erase_if(seen_, [&](const auto& entry) {
    return entry.second.look != looks_ && (are_too_many || entry.second.born == 0);
  });
}

}  // namespace weir
