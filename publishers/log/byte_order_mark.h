// What some editors and shells write at the start of a text to tell its encoding (Unicode 15, 23.8).
//
// Threads: any; pure functions.
#pragma once

#include <string_view>

namespace weir {

// At the start of a text in UTF-8. It is no part of the first line.
inline constexpr std::string_view kUtf8Mark = "\xEF\xBB\xBF";

// True for a text in UTF-16, which is no log that can be published.
inline bool begins_as_utf16(std::string_view text) {
  return text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF");
}
inline constexpr const char* kUtf16 = "is UTF-16; convert it to UTF-8";

}  // namespace weir
