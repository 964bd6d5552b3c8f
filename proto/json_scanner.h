// Where the values of a JSON text begin and end, by the grammar of RFC 8259 and nothing beyond it.
#pragma once

#include <cstddef>
#include <string_view>

namespace weir {

// Steps over a text from front to back and checks what it steps over. It never converts: digits, escapes and
// half surrogate pairs are what the publisher wrote. nlohmann/json, which keeps no slices, refuses 1e999 and
// "\ud800", takes a NUL for the end, and needs twenty times as long; it decodes strings here and checks this
// one in the tests.
//
// Time is linear; memory one byte for each level of nesting, and there is no recursion.
class JsonScanner {
 public:
  explicit JsonScanner(std::string_view text) : text_(text) {}

  // Past white space: steps over `c` if it is next.
  bool take(char c);
  // Past white space: the next string, quotes included, or the next value. Empty if there is none.
  std::string_view next_string();
  std::string_view next_value();
  // True if only white space is left.
  bool is_at_end();

 private:
  char peek() const { return position_ < text_.size() ? text_[position_] : '\0'; }
  void skip_space();
  bool skip_scalar();
  bool skip_string();
  bool skip_number();
  bool skip_digits();
  bool skip_word(std::string_view word);
  bool skip_key();
  bool skip_value();

  std::string_view text_;
  std::size_t position_ = 0;
};

}  // namespace weir
