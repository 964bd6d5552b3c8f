// Where the values of a JSON text begin and end, by the grammar of RFC 8259 and nothing beyond it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir {

// Steps over a text from front to back and checks what it steps over. What it only steps over it never
// converts: digits, escapes and half surrogate pairs are what the publisher wrote. nlohmann/json, which keeps
// no slices, refuses 1e999 and "\ud800", takes a NUL for the end, and needs twenty times as long; it checks
// this one in the tests.
//
// Time is linear, and for no text much more than for plain ones of its size (bench/micro: "worst/...");
// memory is one bit for each level of nesting, and there is no recursion.
class JsonScanner {
 public:
  explicit JsonScanner(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  // Past white space: steps over `c` if it is next.
  bool take(char c);
  // Past white space: true if a string is next, or something that begins like one.
  bool is_at_string();
  // Past white space: the next value. Empty if there is none.
  std::string_view next_value();
  // Past white space: the text of the next string, its escapes decoded. False if there is none, or it holds
  // half a surrogate pair, which is no text; `text` and where the scanner stands are then of no use.
  bool next_text(std::string& text);
  // True if only white space is left.
  bool is_at_end();

 private:
  void skip_space();

  const char* at_;
  const char* end_;
};

}  // namespace weir
