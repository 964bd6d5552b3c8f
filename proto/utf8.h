// UTF-8 as Unicode 15 has it (table 3-7): no surrogates, no overlong forms, nothing past U+10FFFF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir {

bool is_utf8(std::string_view text);

// Replaces what is not UTF-8 in `text` by U+FFFD, one for each maximal ill-formed subsequence (Unicode 15,
// table 3-8: as the WHATWG decoder does); returns how many were replaced.
std::size_t replace_invalid_utf8(std::string& text);

}  // namespace weir
