// The file of --state: how far each log was published.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/result.h"
#include "publishers/log/file_position.h"

namespace weir {

// JSON Lines: a header, then one line for each file of a path. Each begins at a multiple of 64 bytes and with
// its offset, so that a new offset is one small write that no sector's border divides.
//
// A kill at any time leaves the state of the last update(). A power cut leaves that of the last sync(), or a
// later one.
//
// Threads: one.
// Limits:  kPathsMax paths and kPositionsMax files for each; past it the newest ones count, or a warning says
//          that a path is not kept. A file of more than kBytesMax is refused.
// Failure: open() says what is wrong in one line. Later, if the disk is full, warns once and tries again with
//          each sync().
class StateFile {
 public:
  static constexpr std::size_t kPathsMax = 4'096;
  static constexpr std::size_t kPositionsMax = 64;
  static constexpr std::size_t kBytesMax = 64 << 20;

  // Reads the file, or makes an empty one. Only one process may have it open.
  static Result<std::unique_ptr<StateFile>> open(const std::string& path);
  ~StateFile();
  StateFile(const StateFile&) = delete;
  StateFile& operator=(const StateFile&) = delete;

  // True if no path is known: nothing was followed yet.
  bool is_empty() const { return entries_.empty(); }
  // The positions of the log at `path`, oldest file first; empty if it isn't known.
  std::vector<FilePosition> positions(const std::string& path) const;
  // True if it has a position in the file under that path.
  bool has(const std::string& path, std::uint64_t device, std::uint64_t inode) const;
  // The path under which it has a position in the file.
  std::optional<std::string> path_of(std::uint64_t device, std::uint64_t inode) const;
  // True if it has a position with each of these lives under that path.
  bool has_lives(const std::string& path, const std::vector<FilePosition>& positions) const;
  // Forgets the position in the file and returns it. In the file with the next sync().
  std::optional<FilePosition> take(std::uint64_t device, std::uint64_t inode);
  // Notes them, so that a kill doesn't lose them. Takes microseconds if only offsets have changed.
  void update(const std::string& path, std::vector<FilePosition> positions);
  // Notes a path that is followed from now on. In the file with the next sync(): many come at once.
  void begin(const std::string& path, std::vector<FilePosition> positions);
  void forget(const std::string& path);
  // Makes the updates outlast a power cut. Does nothing if there were none.
  void sync();

 private:
  struct Entry {
    FilePosition position;
    off_t at = -1;  // Where its line begins in the file.
  };
  using Entries = std::map<std::string, std::vector<Entry>>;

  static bool has_file(const std::vector<Entry>& entries, std::uint64_t device, std::uint64_t inode);
  StateFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::vector<Entry>* entries_for(const std::string& path, std::vector<FilePosition>& positions);
  Result<bool> load();
  std::string parse(std::string_view line);
  std::string encode();
  bool rewrite();
  bool write_offset(const Entry& entry);
  bool note(bool worked);

  const std::string path_;
  int fd_;
  Entries entries_;
  bool is_dirty_ = false;       // Something was written since the last sync().
  bool needs_rewrite_ = false;  // The file lacks more than offsets.
  bool is_failing_ = false;
  bool has_warned_of_paths_ = false;
};

}  // namespace weir
