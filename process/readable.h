// Texts made fit for people, in errors and logs.
//
// Threads: any; pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

// `text` with line breaks and other control characters escaped: "\n", "\t", "\x1b". A file's name may hold
// them and must not split an error in two. A second call changes nothing.
std::string one_line(std::string_view text);

// "4 MiB", "64 KiB", "1500 B": the largest unit that leaves no fraction.
std::string bytes_text(std::uint64_t bytes);

}  // namespace weir
