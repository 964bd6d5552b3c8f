// A command as Redis reads it: an array of bulk strings, in which any bytes may stand.
//
// Threads: any; pure functions.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace weir {

// The text before the first word of a command of `words` words: "*3\r\n".
std::string command_header(std::size_t words);
// The text before a word of `bytes` bytes: "$5\r\n". kWordEnd follows the word.
std::string word_header(std::size_t bytes);
inline constexpr std::string_view kWordEnd = "\r\n";

// Appends a word with its header and its end. Takes no other memory.
void append_word(std::string& to, std::string_view word);
// Appends the whole command to `to`. Requires at least one word.
void append_command(std::string& to, std::span<const std::string_view> words);

}  // namespace weir
