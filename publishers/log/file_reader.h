// Reads one growing file and remembers how far.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "publishers/log/file_position.h"
#include "publishers/log/line_format.h"
#include "publishers/log/line_splitter.h"
#include "publishers/log/open_file.h"

namespace weir {

// Notices a truncation in two ways: the file is shorter than the position, or, if it has grown again since,
// the bytes before the position are no longer those that were read there. Holes and NULs at the start of a
// file are skipped, since nobody wrote them: a writer that doesn't append goes on at its old position after a
// truncation. A byte order mark of UTF-8 is no part of the first line.
//
// Some files lie about their size (procfs says 0, sysfs 4096). They are read to their end once: whether they
// have changed can't be seen.
//
// Memory: one read of kReadBytes and one partial line. Each call takes at most as long as one read.
class FileReader {
 public:
  static constexpr std::size_t kReadBytes = 256 << 10;
  static constexpr std::size_t kWindowLines = 1'024;

  enum class Outcome {
    kRead,       // There may be more at once, even if this read gave no line.
    kNothing,    // Nothing new, or it can't be read now: see why_not().
    kTruncated,  // What was at the position is gone. Call restart() before the next read.
  };

  // An empty `make_format` leaves the lines as they are.
  FileReader(std::shared_ptr<const OpenFile> file, std::size_t line_bytes_max,
             MakeLineFormat make_format = {}, std::size_t window_lines = kWindowLines);

  // Skips the present content except an incomplete last line, so that no half line is ever published.
  void skip_to_end();
  // Goes on at `position`, and with its life, if the file begins with its fingerprint and is long enough. False if not.
  bool resume(const FilePosition& position);
  // Reads once at most and appends up to `window_lines` whole lines; a piece or a LineFormat may add a few.
  Outcome read(std::vector<Line>& lines);
  // Begins the file anew. Keeps nothing: call finish() before if the incomplete last line is to come.
  void restart();
  // Call it at the end of the file: appends the last line if it has no LF.
  void finish(std::vector<Line>& lines);
  bool has_partial_line() const { return splitter_.has_partial_line(); }

  // Where to go on once all lines that were given are published: never inside what a line waits for.
  const FilePosition& position();
  // How many bytes of the file were not given yet.
  std::uint64_t behind() const;
  // How many bytes that were not read are known to have been in the file before it was truncated.
  std::uint64_t unread() const { return unread_; }
  // The reason of the last read's failure, as one phrase; empty if it worked.
  const std::string& why_not() const { return why_not_; }
  // How many reads have failed.
  std::uint64_t read_errors() const { return read_errors_; }
  // The bytes read last, up to the position. A copy of the file has them at the same place.
  std::string_view before() const { return before_; }
  off_t offset() const { return offset_; }

  const OpenFile& file() const { return *file_; }

 private:
  bool skip_hole();
  void take(std::string_view bytes);
  void split(std::vector<Line>& lines);
  Outcome fail(const std::string& reason);
  // -1 with errno set if it fails.
  ssize_t read_at(off_t offset, std::size_t count, std::string& bytes) const;

  const std::shared_ptr<const OpenFile> file_;
  const std::size_t line_bytes_max_;
  const MakeLineFormat make_format_;
  const std::size_t window_lines_;
  LineSplitter splitter_;
  std::unique_ptr<LineFormat> format_;
  std::vector<Line> split_;  // What goes to format_ next.

  off_t offset_ = 0;   // Behind the last byte read.
  std::string bytes_;  // The last read. Those from used_ on are not split yet.
  std::size_t used_ = 0;
  std::string before_;  // The last bytes read, up to offset_.
  std::string head_;    // The first bytes of the file, up to kFingerprintBytes.
  FilePosition position_;
  std::size_t hashed_ = 0;  // How much of head_ position_.fingerprint covers.

  off_t size_ = -1;         // As the file said last; -1 before.
  timespec modified_{};     // The file's, then.
  bool is_at_end_ = false;  // The last read found nothing.
  bool skips_nuls_ = true;  // No other byte has come yet.
  bool is_first_line_ = true;
  bool is_utf16_ = false;

  std::string why_not_;
  std::uint64_t read_errors_ = 0;
  std::uint64_t unread_ = 0;
};

}  // namespace weir
