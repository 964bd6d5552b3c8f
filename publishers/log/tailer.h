// tail -F: the lines of the file at a path, across rotations.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "publishers/log/file_reader.h"
#include "publishers/log/file_watch.h"
#include "publishers/log/line_splitter.h"

namespace weir {

// Reads a rotated file to its end before it begins the next one. Bytes in the next file show that the writer
// has moved on: log rotation makes the new file first and tells the writer later.
//
// Threads: one, beside the Watcher's. Reads only on request, so a caller that can't
//          publish causes no reads.
class Tailer {
 public:
  using Clock = std::chrono::steady_clock;

  struct Options {
    // Read the file that is there at the start from its start. Later ones are always read from their start.
    bool from_start = false;
    std::size_t line_bytes_max = 64 << 10;
    // How long the last line of a rotated file waits for its LF while the next file is still empty.
    std::chrono::milliseconds settle{1'000};
    // How long a rotated file is still read after the next one was begun: some of several writers of one log
    // may reopen it later than others.
    std::chrono::milliseconds linger{5'000};
  };

  Tailer(Watcher& watcher, const std::string& path, const Options& options);

  bool has_file() const { return watch_.current() != nullptr; }
  // The lines of the next read; empty if there are none now.
  std::vector<Line> read(Clock::time_point now);
  // Ends the reading: returns the last line if it has no LF.
  std::vector<Line> finish();
  // Waits until read() may have more.
  void wait(const std::stop_token& stop) {
    watcher_.wait(seen_, Clock::now() + std::chrono::minutes(1), stop);
  }

 private:
  struct Left {
    std::unique_ptr<FileReader> reader;
    Clock::time_point until;
  };

  bool begin();
  void leave(Clock::time_point now, std::vector<Line>& lines);
  void read_left(Clock::time_point now, std::vector<Line>& lines);

  Watcher& watcher_;
  const Options options_;
  FileWatch watch_;
  std::uint64_t seen_ = 0;              // watcher_.changes() at the last read.
  std::unique_ptr<FileReader> reader_;  // For watch_.current().
  Clock::time_point grown_at_{};        // When reader_ last found something.
  std::vector<Left> left_;              // Files that were left behind, oldest first.
};

}  // namespace weir
