// News of the names in directories.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "publishers/log/inotify.h"
#include "publishers/log/rename_tracker.h"

namespace weir {

// A name of a directory that somebody wants to hear about.
struct WatchedName {
  WatchedName(std::string in_directory, std::string of_name, std::function<void()> when_news)
      : directory(std::move(in_directory)),
        name(std::move(of_name)),
        look(std::move(when_news)),
        tracker(name) {}

  const std::string directory;
  const std::string name;            // Empty for all names of the directory.
  const std::function<void()> look;  // Called once there is news.
  RenameTracker tracker;             // The files that came to the name and were not opened yet.
  bool is_due = false;               // There is news.
};

// Watches any number of directories with one queue. News of one name costs the others nothing.
//
// Threads:   the Watcher's lock covers all functions but fd().
// Ownership: a WatchedName stays its user's, who removes it first.
class NameNews {
 public:
  explicit NameNews(bool is_enabled) : inotify_(is_enabled) {}

  int fd() const { return inotify_.fd(); }
  void add(WatchedName& name);
  void remove(WatchedName& name);
  // Takes the news there is now: afterwards the trackers know it.
  void read();
  // Waits for news.
  void wait(std::chrono::milliseconds time) const { inotify_.wait(time); }
  // Watches the directories that have appeared.
  void watch_missing() { renew(false); }
  // Watches the directories that others have replaced as well, unseen: behind a link, or with their parent.
  void watch_replaced() { renew(true); }
  void mark(WatchedName& name);
  bool has_due() const { return !due_.empty(); }
  // The names with news, in the order of the news. They are no longer due.
  std::vector<WatchedName*> take_due();

 private:
  struct Directory {
    int watch = -1;
    std::multimap<std::string, WatchedName*> names;
    std::vector<WatchedName*> arriving;  // Their trackers follow files from name to name.
  };

  void renew(bool are_all);
  void begin(const std::string& path, Directory& directory);
  void end(Directory& directory);
  void forget(Directory& directory);
  void take(const inotify_event& event, const std::string& name);
  void tell(const inotify_event& event, const std::string& name, Directory& directory);

  Inotify inotify_;
  std::map<std::string, Directory> directories_;
  std::unordered_multimap<int, Directory*> by_watch_;  // Several paths may lead to one directory.
  std::vector<WatchedName*> due_;
  bool is_any_lost_ = false;  // A directory has left its path.
};

}  // namespace weir
