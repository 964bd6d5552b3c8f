// base64url as tokens have it (RFC 7515, 2). Pure, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace weir {

// Only the one spelling that an encoder makes: no padding, no white space, no character of the other
// alphabet, no bits left over. A second spelling of the same bytes would be a second token that looks new.
std::optional<std::string> decode_base64url(std::string_view text);

}  // namespace weir
