// The lines of a message's data: LF, CRLF and a lone CR each end one, as they do for whoever parses the
// stream.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir {

inline constexpr std::string_view kDataField = "data: ";

struct Lines {
  std::size_t count = 1;  // What is behind the last line end is a line too, also where it is empty.
  std::size_t bytes = 0;  // Without their ends.
};
Lines count_lines(std::string_view data);

// Appends a `data:` line for each line of `data`, whose count_lines() `lines` are. For a moment it takes kDataLinesSlack
// bytes more than it appends.
void append_data_lines(std::string& block, std::string_view data, Lines lines);
inline constexpr std::size_t kDataLinesSlack = 8;
inline std::size_t data_lines_bytes(Lines lines) {
  return lines.bytes + lines.count * (kDataField.size() + 1);
}

}  // namespace weir
