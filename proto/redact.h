// What must never be read in a log: tokens, and passwords of URLs.
#pragma once

#include <string>
#include <string_view>

namespace weir {

// `text` as it may be logged. What has the form of a JWT (it begins with eyJ, and dots separate three parts
// of base64url or more) becomes "(redacted)", and the password of a URL "***". Pure, any thread.
std::string redacted(std::string_view text);

}  // namespace weir
