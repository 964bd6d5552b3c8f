// Digests of the files that the program holds. Pure, any thread.
#pragma once

#include <string>
#include <string_view>

namespace weir {

// SHA-256 of `bytes` in lower-case hex digits.
std::string sha256_hex(std::string_view bytes);
// In base64, as a Content-Security-Policy and an integrity attribute want it: "sha256-…", "sha384-…" (SRI).
std::string sha256_source(std::string_view bytes);
std::string sha384_source(std::string_view bytes);

}  // namespace weir
