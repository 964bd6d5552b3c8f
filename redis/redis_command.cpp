#include "redis/redis_command.h"

#include <cassert>

namespace weir {

std::string command_header(std::size_t words) { return "*" + std::to_string(words) + "\r\n"; }

std::string word_header(std::size_t bytes) { return "$" + std::to_string(bytes) + "\r\n"; }

void append_command(std::string& to, std::span<const std::string_view> words) {
  assert(!words.empty());
  to += command_header(words.size());
  for (const std::string_view word : words) to.append(word_header(word.size())).append(word).append(kWordEnd);
}

}  // namespace weir
