#include "proto/redact.h"

#include <algorithm>

namespace weir {
namespace {

constexpr std::string_view kBase64UrlAndDot =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";

// {" in base64url, the start of every token's header.
constexpr std::string_view kTokenBegin = "eyJ";

void hide_tokens(std::string& text) {
  std::size_t at = 0;
  while ((at = text.find(kTokenBegin, at)) != std::string::npos) {
    const std::size_t end = std::min(text.find_first_not_of(kBase64UrlAndDot, at), text.size());
    const auto dots = std::count(text.data() + at, text.data() + end, '.');
    if (dots >= 2) {
      constexpr std::string_view kInstead = "(redacted)";
      text.replace(at, end - at, kInstead);
      at += kInstead.size();
    } else {
      at += kTokenBegin.size();
    }
  }
}

void hide_passwords(std::string& text) {
  constexpr std::string_view kSchemeEnd = "://";
  std::size_t at = 0;
  while ((at = text.find(kSchemeEnd, at)) != std::string::npos) {
    at += kSchemeEnd.size();
    const std::size_t end = std::min(text.find_first_of("/?# \t\r\n\"'", at), text.size());
    const std::size_t user_end = text.rfind('@', end);
    if (user_end == std::string::npos || user_end < at) continue;
    const std::size_t colon = text.find(':', at);
    const std::size_t begin = colon < user_end ? colon + 1 : at;
    text.replace(begin, user_end - begin, "***");
  }
}

}  // namespace

std::string redacted(std::string_view text) {
  std::string result(text);
  hide_tokens(result);
  hide_passwords(result);
  return result;
}

}  // namespace weir
