// base64url without padding, as tokens have it (RFC 7515, 2). Pure, any thread; the input may be anything.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace weir {

// Decodes `text`. Returns nullopt for any spelling but the one that an encoder makes: padding, white space, a
// character of the plain base64 alphabet, bits left over. A second spelling of the same bytes would be a
// second token that looks new.
std::optional<std::string> decode_base64url(std::string_view text);

}  // namespace weir
