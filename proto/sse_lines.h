// The lines of a message's data. LF, CRLF and a lone CR each end a line, as they do for the parser of a
// stream. Pure functions, for any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir {

inline constexpr std::string_view kDataField = "data: ";

struct Lines {
  // The text after the last line end counts as a line, even if it is empty.
  std::size_t count = 1;
  // Without the line ends.
  std::size_t bytes = 0;
};
Lines count_lines(std::string_view data);

// Appends a `data:` line for each line of `data`. Requires that `lines` is count_lines(data). While it runs,
// `block` is up to kDataLinesSlack bytes longer than in the end.
void append_data_lines(std::string& block, std::string_view data, Lines lines);
inline constexpr std::size_t kDataLinesSlack = 8;
// The bytes that append_data_lines() appends.
inline std::size_t data_lines_bytes(Lines lines) {
  return lines.bytes + lines.count * (kDataField.size() + 1);
}

}  // namespace weir
