// Reads one growing file and remembers how far.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "publishers/log/line_splitter.h"
#include "publishers/log/open_file.h"

namespace weir {

// Notices a truncation in two ways: the file is shorter than the position, or, if it has grown again since,
// the bytes before the position are no longer those that were read there.
//
// Memory: one read of kReadBytes and one partial line.
class FileReader {
 public:
  static constexpr std::size_t kReadBytes = 64 << 10;

  FileReader(std::shared_ptr<const OpenFile> file, std::size_t line_bytes_max);

  // Skips the present content except an incomplete last line, so that no half line is ever published.
  void skip_to_end();
  // Reads once and appends the whole lines. False if there was nothing new.
  bool read(std::vector<Line>& lines);
  // Call it at the end of the file: appends the last line if it has no LF.
  void finish(std::vector<Line>& lines) { splitter_.finish(lines); }
  bool has_partial_line() const { return splitter_.has_partial_line(); }

  const OpenFile& file() const { return *file_; }

 private:
  void restart(std::vector<Line>& lines);
  void remember(std::string_view bytes);
  std::string read_at(off_t offset, std::size_t count) const;

  const std::shared_ptr<const OpenFile> file_;
  LineSplitter splitter_;
  off_t offset_ = 0;
  std::string before_;       // The last bytes read, up to offset_.
  timespec modified_{};      // The file's, at the last read.
  bool skips_nuls_ = false;  // After a truncation: see restart().
};

}  // namespace weir
