// base64url without padding, as tokens have it (RFC 7515, 2). Pure, any thread; the input may be anything.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace weir {

// Decodes `text`. Accepts only the spelling that an encoder makes: nullopt for padding, white space, a
// character of the plain base64 alphabet, or bits left over. A second spelling of the same bytes would be a
// second token that looks new.
std::optional<std::string> decode_base64url(std::string_view text);

}  // namespace weir
