// The files to follow, found as they appear.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "publishers/log/path_pattern.h"
#include "publishers/log/path_status.h"
#include "publishers/log/watcher.h"

namespace weir {

// Expands patterns again and again. A file is one to follow once, whatever its names: app.log* matches app.log.1
// as well, where log rotation has put what was read as app.log.
//
// Threads: one.
// Limits:  `files_max` paths at a time. Past it warns once, and takes others as soon as some go. Looking takes at
//          most a tenth of the time, and without news a hundredth: then new files are found later.
class FileSet {
 public:
  using Clock = std::chrono::steady_clock;
  // True if the file is being read under some path, or was.
  using IsKnown = std::function<bool(dev_t, ino_t)>;

  FileSet(Watcher& watcher, const std::vector<std::string>& patterns, std::size_t files_max,
          IsKnown is_known);
  ~FileSet();
  FileSet(const FileSet&) = delete;
  FileSet& operator=(const FileSet&) = delete;

  // The paths that are new since the last call. A path without wildcard is new at the first call, even if
  // nothing is there yet. Matches that are no files are left out.
  std::vector<std::string> look(Clock::time_point now = Clock::now());
  // Nobody follows the path any more. It is new again if another file comes to it.
  void gone(const std::string& path);
  // True if the file was there at the first look(). Others have to be read from their start.
  bool was_there_at_start(const std::string& path) const;
  std::size_t size() const { return followed_.size(); }

 private:
  struct Candidate {
    std::string path;
    PathStatus status;
  };
  // A file that was seen at a path which is followed, or that has come from there.
  struct Seen {
    std::int64_t born = 0;
    off_t size = 0;
    std::string path;        // Where it was seen last.
    std::string other_path;  // Another name of it that the log has told.
    std::uint64_t look = 0;
  };

  bool is_due(Clock::time_point now) const;
  std::vector<Candidate> expand();
  bool watch_directory(const std::string& path);
  void note_read(const std::string& directory, int error);
  std::vector<Candidate> find_new(std::vector<Candidate> candidates);
  bool is_new(const Candidate& candidate);
  bool is_seen(const PathStatus& status) const;
  void remember(const std::string& path, const PathStatus& status);
  std::vector<std::string> take(const std::vector<Candidate>& candidates);
  void forget_unseen();

  struct Directory {
    std::unique_ptr<WatchedName> name;
    std::uint64_t look = 0;  // The number of the last look that read it.
    int error = 0;           // Why it could not be read then.
  };

  Watcher& watcher_;
  std::vector<PathPattern> patterns_;
  const std::size_t files_max_;
  const IsKnown is_known_;

  std::uint64_t looks_ = 0;
  std::set<std::string> followed_;
  std::set<std::string> ungiven_;  // Paths without wildcard that look() has not given out yet.
  std::map<FileId, Seen> seen_;
  std::map<std::string, PathStatus> at_start_;
  // The warnings have been given.
  bool is_full_ = false;
  bool has_too_many_directories_ = false;

  std::atomic<bool> has_news_{false};
  Clock::time_point with_news_from_{};     // When to look next if there is news,
  Clock::time_point without_news_from_{};  // and if there is none.
  std::map<std::string, Directory> directories_;
};

}  // namespace weir
