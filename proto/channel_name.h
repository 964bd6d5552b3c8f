// Channel names and the one pattern language. Pure functions, for any thread.
#pragma once

#include <string_view>

namespace weir {

// True for 1 to 128 characters of A-Z a-z 0-9 _ . : @ -. Refused are names that begin with "__", which Redis
// uses for its own channels, or with "weir:". So are "." and "..": browsers and proxies remove them from a
// path, even written as %2e, and would ask for another URL.
bool is_channel_name(std::string_view name);
// The rules of is_channel_name() as one sentence, for error texts.
extern const char* const kChannelNameRule;

// True if `pattern` matches the whole of `name`. A `*` stands for any number of characters, including
// none; every other character stands for itself. Takes no memory, and at most time in proportion to the
// product of both lengths.
bool matches_pattern(std::string_view pattern, std::string_view name);

}  // namespace weir
