#include "publishers/log/name_news.h"

#include <algorithm>
#include <utility>

namespace weir {
namespace {

constexpr std::uint32_t kEvents =
    IN_CREATE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_MOVE_SELF | IN_DELETE_SELF | IN_ONLYDIR;

void tell_tracker(const inotify_event& event, const std::string& name, RenameTracker& tracker) {
  if (event.mask & IN_CREATE) tracker.created(name);
  if (event.mask & IN_MOVED_FROM) tracker.moved_from(name, event.cookie);
  if (event.mask & IN_MOVED_TO) tracker.moved_to(name, event.cookie);
  if (event.mask & IN_DELETE) tracker.removed(name);
}

}  // namespace

void NameNews::add(WatchedName& name) {
  const auto [found, is_new] = directories_.try_emplace(name.directory);
  found->second.names.emplace(name.name, &name);
  if (is_new) begin(found->first, found->second);
}

void NameNews::remove(WatchedName& name) {
  std::erase(due_, &name);
  const auto found = directories_.find(name.directory);
  auto& directory = found->second;
  std::erase(directory.arriving, &name);
  std::erase_if(directory.names, [&](const auto& entry) { return entry.second == &name; });
  if (!directory.names.empty()) return;
  end(directory);
  directories_.erase(found);
}

void NameNews::read() {
  inotify_.read([this](const inotify_event& event, const std::string& name) { take(event, name); });
  if (std::exchange(is_any_lost_, false)) watch_missing();
}

void NameNews::renew(bool are_all) {
  for (auto& [path, directory] : directories_) {
    if (directory.watch >= 0 && !are_all) continue;
    // Gives the same watch for the same directory.
    const int watch = inotify_.watch(path, kEvents);
    if (watch == directory.watch) continue;
    end(directory);
    if (watch < 0) continue;
    directory.watch = watch;
    by_watch_.emplace(watch, &directory);
    forget(directory);
  }
}

void NameNews::mark(WatchedName& name) {
  if (!std::exchange(name.is_due, true)) due_.push_back(&name);
}

std::vector<WatchedName*> NameNews::take_due() {
  for (WatchedName* name : due_) name->is_due = false;
  return std::exchange(due_, {});
}

void NameNews::begin(const std::string& path, Directory& directory) {
  directory.watch = inotify_.watch(path, kEvents);
  if (directory.watch >= 0) by_watch_.emplace(directory.watch, &directory);
}

void NameNews::end(Directory& directory) {
  const int watch = std::exchange(directory.watch, -1);
  if (watch < 0) return;
  std::erase_if(by_watch_, [&](const auto& entry) { return entry.second == &directory; });
  if (!by_watch_.contains(watch)) inotify_.unwatch(watch);
}

// Events were missed: each name has to be looked at.
void NameNews::forget(Directory& directory) {
  directory.arriving.clear();
  for (const auto& entry : directory.names) {
    entry.second->tracker.forget();
    mark(*entry.second);
  }
}

void NameNews::take(const inotify_event& event, const std::string& name) {
  if (event.mask & IN_Q_OVERFLOW) {
    for (auto& entry : directories_) forget(entry.second);
    return;
  }
  const auto [begin, end] = by_watch_.equal_range(event.wd);
  if (event.mask & (IN_MOVE_SELF | IN_DELETE_SELF | IN_IGNORED)) {
    // The directory has left its path: another may be there.
    std::vector<Directory*> left;
    for (auto it = begin; it != end; ++it) left.push_back(it->second);
    for (Directory* directory : left) {
      this->end(*directory);
      forget(*directory);
      is_any_lost_ = true;
    }
    return;
  }
  for (auto it = begin; it != end; ++it) tell(event, name, *it->second);
}

void NameNews::tell(const inotify_event& event, const std::string& name, Directory& directory) {
  std::erase_if(directory.arriving, [](const WatchedName* other) { return !other->tracker.has_arrival(); });
  std::vector<WatchedName*> concerned = directory.arriving;
  const auto [begin, end] = directory.names.equal_range(name);
  for (auto it = begin; it != end; ++it) {
    if (std::find(concerned.begin(), concerned.end(), it->second) == concerned.end()) {
      concerned.push_back(it->second);
    }
  }
  for (WatchedName* watched : concerned) {
    tell_tracker(event, name, watched->tracker);
    mark(*watched);
    const bool is_listed =
        std::find(directory.arriving.begin(), directory.arriving.end(), watched) != directory.arriving.end();
    if (watched->tracker.has_arrival() && !is_listed) directory.arriving.push_back(watched);
  }
  const auto all = directory.names.equal_range("");
  for (auto it = all.first; it != all.second; ++it) mark(*it->second);
}

}  // namespace weir
