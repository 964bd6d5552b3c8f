// tail -F: the lines of the file at a path, across rotations.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "publishers/log/file_position.h"
#include "publishers/log/file_reader.h"
#include "publishers/log/file_watch.h"
#include "publishers/log/line_splitter.h"
#include "publishers/log/missed_files.h"

namespace weir {

// Reads a rotated file to its end before it begins the next one. Bytes in the next file show that the writer
// has moved on: log rotation makes the new file first and tells the writer later. A file that comes back to
// the path is gone on with where it was left. What was cut off unread by a truncation, or rotated between two
// runs, is read from the rotated files as long as they are beside the path and not compressed.
//
// Threads: one, beside the FileWatch's. Reads only on request, so a caller that can't
//          publish causes no reads.
// Limits:  remembers kRememberedMax files that were left.
// Failure: warns once with the reason if a file can't be read, and goes on when it can. After a minute it
//          goes on with the next file if there is one.
class Tailer {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t kRememberedMax = 64;

  struct Options {
    // Read the file that is there at the start from its start. Later ones are always read from their start.
    bool from_start = false;
    // Say it in the log when the file can't be read. False: the caller asks why_not().
    bool warns = true;
    std::size_t line_bytes_max = 64 << 10;
    std::size_t window_lines = FileReader::kWindowLines;
    // How long the last line of a rotated file waits for its LF while the next file is still empty.
    std::chrono::milliseconds settle{1'000};
    // How long a rotated file is still read after the next one was begun: some of several writers of one log
    // may reopen it later than others.
    std::chrono::milliseconds linger{5'000};
    MakeLineFormat format = {};
    // Where an earlier run has stopped, oldest file first. Then another file at the path is read from its start.
    std::vector<FilePosition> resume = {};
  };

  Tailer(Watcher& watcher, const std::string& path, Options options);

  bool has_file() const { return watch_.current() != nullptr; }
  // The lines of the next window, Options::window_lines or a few more; empty if there are none now. Can be
  // called again at once.
  std::vector<Line> read(Clock::time_point now);
  // True if the last read() stopped early though it gave no line: it does so in a long hole.
  bool has_more() const { return has_more_; }
  // Ends the reading: returns the last line if it has no LF.
  std::vector<Line> finish();

  // Where to go on once all lines that were returned are published, oldest file first.
  std::vector<FilePosition> positions();
  // How many bytes of its files were not returned yet.
  std::uint64_t behind() const;
  // Why it can't be read now, as one phrase; empty if it can be.
  std::string why_not() const { return why_not_.empty() ? watch_.why_not() : why_not_; }
  std::uint64_t read_errors() const { return read_errors_; }
  // True if the file was removed, all of it was read, and nothing came to the path for the linger time.
  bool is_gone() const { return is_gone_; }
  // True if the file is being read, or was.
  bool knows(std::uint64_t device, std::uint64_t inode) const;

 private:
  using Lines = std::vector<Line>;
  struct Left {
    std::unique_ptr<FileReader> reader;
    Clock::time_point until;
  };
  struct Waiting {
    std::unique_ptr<FileReader> reader;
    bool lingers = false;  // It may still be written to: no copy.
  };

  std::unique_ptr<FileReader> make_reader(std::shared_ptr<const OpenFile> file) const;
  void resume();
  bool resume_current(const FilePosition& position);
  MissedFiles missed_files() const;
  bool is_copy(const OpenFile& file) const;
  void queue_between(const MissedFiles& missed, std::int64_t from_ns, std::int64_t to_ns);
  void queue_unseen(const OpenFile& left);
  bool begin();
  void leave(Clock::time_point now, Lines& lines);
  void read_left(Clock::time_point now, Lines& lines);
  void read_waiting(Clock::time_point now, Lines& lines);
  bool read_current(Clock::time_point now, Lines& lines);
  void restart(Lines& lines);
  FileReader::Outcome read_from(FileReader& reader, Clock::time_point now, Lines& lines);
  bool is_patient(Clock::time_point now) const;
  void remember(FileReader& reader);

  Watcher& watcher_;
  const std::string path_;
  const Options options_;
  FileWatch watch_;
  std::deque<Waiting> waiting_;          // Files to read before reader_'s, oldest first.
  std::unique_ptr<FileReader> reader_;   // For watch_.current().
  Clock::time_point grown_at_{};         // When reader_ last found something.
  std::vector<Left> left_;               // Files that were left behind, oldest first.
  std::deque<FilePosition> remembered_;  // Files that were left, and are not held open.
  bool has_more_ = false;
  bool is_gone_ = false;
  std::optional<Clock::time_point> removed_at_;
  std::string why_not_;
  Clock::time_point failed_at_{};  // When why_not_ came.
  std::uint64_t read_errors_ = 0;
};

}  // namespace weir
