// Channel names and the one pattern language.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace weir {

// 1 to 128 of A-Z a-z 0-9 _ . : @ - ; names that begin with "__" (Redis keeps its own there) or "weir:" are
// refused. So are "." and "..": browsers and proxies take them out of a path, also as %2e, and would ask for
// something else.
bool is_channel_name(std::string_view name);
// The same rules as one sentence, for error texts.
extern const char* const kChannelNameRule;

// See proto/text.h.
std::optional<std::string> percent_decode(std::string_view text);

// `*` stands for any characters (also none), all else for itself, anchored at both ends. Linear memory,
// O(n*m) time.
bool matches_pattern(std::string_view pattern, std::string_view name);

}  // namespace weir
