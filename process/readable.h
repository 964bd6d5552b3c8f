// Texts as people are shown them, in errors and logs.
//
// Threads: any; pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

// `text` without line breaks and other control characters: "\n", "\t" and "\x1b" are written as escapes. A
// name of a file may hold them, and must not make two lines of an error. A second call changes nothing.
std::string one_line(std::string_view text);

// "4 MiB", "64 KiB", "1500 B": the largest unit that leaves no fraction.
std::string bytes_text(std::uint64_t bytes);

}  // namespace weir
