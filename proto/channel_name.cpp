#include "proto/channel_name.h"

#include <algorithm>

namespace weir {
namespace {

constexpr std::size_t kChannelNameBytesMax = 128;

bool is_channel_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == ':' || c == '@' || c == '-';
}

}  // namespace

const char* const kChannelNameRule =
    "a channel name has 1 to 128 of A-Z a-z 0-9 _ . : @ -, begins neither with \"__\" nor with \"weir:\" and "
    "is "
    "neither \".\" nor \"..\"";

bool is_channel_name(std::string_view name) {
  return !name.empty() && name.size() <= kChannelNameBytesMax && !name.starts_with("__") &&
         !name.starts_with("weir:") && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), is_channel_character);
}

bool matches_pattern(std::string_view pattern, std::string_view name) {
  std::size_t p = 0;
  std::size_t n = 0;
  // Only the last star may still have to give way: once the text between two stars is found at its first
  // place, the earlier star is settled.
  std::size_t after_star = std::string_view::npos;
  std::size_t taken_by_star = 0;
  while (n < name.size()) {
    // The star first: it never stands for itself.
    if (p < pattern.size() && pattern[p] == '*') {
      after_star = ++p;
      taken_by_star = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (after_star != std::string_view::npos) {
      p = after_star;
      n = ++taken_by_star;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

}  // namespace weir
