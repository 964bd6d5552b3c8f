// Keeps tokens and the passwords of URLs out of logs.
#pragma once

#include <string>
#include <string_view>

namespace weir {

// Returns `text` as it may be logged: a JWT becomes "(redacted)", and the password of a URL "***". A JWT
// is anything that begins with eyJ and has at least three parts of base64url, with dots between them.
// Pure, for any thread.
std::string redacted(std::string_view text);

}  // namespace weir
