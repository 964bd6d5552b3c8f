#include "redis/redis_command.h"

#include <cassert>
#include <charconv>

namespace weir {

namespace {

void append_header(std::string& to, char kind, std::size_t number) {
  char text[24] = {kind};
  char* const end = std::to_chars(text + 1, text + sizeof text, number).ptr;
  to.append(text, end).append(kWordEnd);
}

}  // namespace

std::string command_header(std::size_t words) {
  std::string header;
  append_header(header, '*', words);
  return header;
}

std::string word_header(std::size_t bytes) {
  std::string header;
  append_header(header, '$', bytes);
  return header;
}

void append_word(std::string& to, std::string_view word) {
  append_header(to, '$', word.size());
  to.append(word).append(kWordEnd);
}

void append_command(std::string& to, std::span<const std::string_view> words) {
  assert(!words.empty());
  append_header(to, '*', words.size());
  for (const std::string_view word : words) append_word(to, word);
}

}  // namespace weir
