// UTF-8 by Unicode 15, table 3-7: no surrogates, no overlong forms, nothing past U+10FFFF. Pure functions,
// for any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir {

bool is_utf8(std::string_view text);

// Replaces each maximal ill-formed subsequence of `text` by one U+FFFD, as the WHATWG decoder does (Unicode
// 15, table 3-8). Returns how many it replaced.
std::size_t replace_invalid_utf8(std::string& text);

}  // namespace weir
