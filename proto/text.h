// Small pieces of text parsing that several parts share. Pure functions, any thread; the
// input may be anything.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace weir {

// `text` without the `blanks` at either end. The default is the optional white space of
// HTTP (RFC 9110, 5.6.3).
std::string_view trim(std::string_view text, std::string_view blanks = " \t");

// Takes the part before the first `separator` off the front of `rest`, and the separator with it. Without a
// separator it takes all of `rest`.
std::string_view take_until(std::string_view& rest, char separator);
std::string_view take_until(std::string_view& rest, std::string_view separator);

// Percent-decodes one path segment or query value ("user%3A42" is "user:42"). Returns nullopt if an escape is
// broken or stands for a control character.
std::optional<std::string> percent_decode(std::string_view text);

}  // namespace weir
