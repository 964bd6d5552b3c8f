// Splits the bytes of a log into whole lines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "publishers/log/line_place.h"

namespace weir {

struct Line {
  std::string text;        // Without its LF or CRLF. Any bytes.
  bool continues = false;  // The line was too long: its next piece follows.
  LinePlace place = {};
  // As messages: where it comes from does not count.
  bool operator==(const Line& other) const { return text == other.text && continues == other.continues; }
};

// Keeps a line until its LF arrives. Cuts a line of more than `line_bytes_max` bytes into pieces of at most
// that size, never inside a UTF-8 character; nothing is lost.
class LineSplitter {
 public:
  // Requires at least 4, the size of the longest character.
  explicit LineSplitter(std::size_t line_bytes_max) : line_bytes_max_(line_bytes_max) {}

  // Appends the lines of `bytes`, until there are `lines_max` of them or two more: a piece never comes alone.
  // Returns how many bytes it took. `offset` is that of the first byte; the lines get theirs of it.
  std::size_t add(std::string_view bytes, std::vector<Line>& lines,
                  std::size_t lines_max = std::numeric_limits<std::size_t>::max(), std::uint64_t offset = 0);
  // Call it at the end of the log: a last line without LF becomes a line as it is.
  void finish(std::vector<Line>& lines);
  bool has_partial_line() const { return !partial_.empty(); }
  // How many of the bytes it took are not in a line yet.
  std::size_t partial_bytes() const { return partial_.size(); }

 private:
  void cut(std::size_t size, std::vector<Line>& lines);

  std::size_t line_bytes_max_;
  std::string partial_;               // At most line_bytes_max_ bytes and a CR.
  std::uint64_t partial_offset_ = 0;  // Of its first byte.
};

// {"msg":"…"}; a piece that continues has "more":true as well. Bytes that are not UTF-8 are replaced by
// U+FFFD.
std::string encode_line(Line line);

}  // namespace weir
