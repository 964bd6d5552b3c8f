#include "process/readable.h"

#include <utility>

namespace weir {

std::string one_line(std::string_view text) {
  constexpr std::string_view kHexDigits = "0123456789abcdef";
  std::string line;
  line.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      line += "\\n";
    } else if (c == '\r') {
      line += "\\r";
    } else if (c == '\t') {
      line += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      line.append("\\x") += kHexDigits[byte >> 4];
      line += kHexDigits[byte & 15];
    } else {
      line += c;
    }
  }
  return line;
}

std::string bytes_text(std::uint64_t bytes) {
  for (const auto& [unit, name] : {std::pair{std::uint64_t{1} << 30, " GiB"},
                                   {std::uint64_t{1} << 20, " MiB"},
                                   {std::uint64_t{1} << 10, " KiB"}}) {
    if (bytes >= unit && bytes % unit == 0) return std::to_string(bytes / unit) + name;
  }
  return std::to_string(bytes) + " B";
}

}  // namespace weir
