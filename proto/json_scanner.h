// Finds where the values of a JSON text begin and end, by the grammar of RFC 8259 and nothing beyond it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir {

// Steps over a text from front to back and checks it on the way. A value that is stepped over is not
// converted: its digits, escapes and half surrogate pairs stay what the publisher wrote. nlohmann/json could
// not do this: it keeps no slices, refuses 1e999 and "\ud800", takes a NUL for the end, and is some twenty
// times slower. The tests and fuzzers check this scanner against it.
//
// Threads:   one at a time.
// Ownership: the caller keeps the text alive; values are views into it.
// Limits:    time is linear in the text, whatever it holds (bench/micro: "worst/..."). Memory is one bit for
//            each level of nesting, and there is no recursion.
class JsonScanner {
 public:
  explicit JsonScanner(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  // Each of these skips white space first.

  // Steps over `c` and returns true if it comes next.
  bool take(char c);
  // True if a quote comes next.
  bool is_at_string();
  // Returns the next value and steps over it. Empty if there is none, or it is broken.
  std::string_view next_value();
  // Sets `text` to the next string with its escapes decoded, and steps over it. False if there is none, or it
  // holds half a surrogate pair. Then neither `text` nor the scanner is of use any more.
  bool next_text(std::string& text);
  // True if only white space is left.
  bool is_at_end();

 private:
  void skip_space();

  const char* at_;
  const char* end_;
};

}  // namespace weir
