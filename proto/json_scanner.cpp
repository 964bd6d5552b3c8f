#include "proto/json_scanner.h"

#include <string>

namespace weir {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_hex_digit(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

}  // namespace

bool JsonScanner::take(char c) {
  skip_space();
  if (position_ == text_.size() || text_[position_] != c) return false;
  ++position_;
  return true;
}

std::string_view JsonScanner::next_string() {
  skip_space();
  const std::size_t begin = position_;
  return skip_string() ? text_.substr(begin, position_ - begin) : std::string_view();
}

std::string_view JsonScanner::next_value() {
  skip_space();
  const std::size_t begin = position_;
  return skip_value() ? text_.substr(begin, position_ - begin) : std::string_view();
}

bool JsonScanner::is_at_end() {
  skip_space();
  return position_ == text_.size();
}

void JsonScanner::skip_space() {
  while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++position_;
}

bool JsonScanner::skip_value() {
  std::string open;  // The brackets that are to be closed yet, innermost last.
  for (;;) {
    // A value begins here.
    const bool is_object = take('{');
    if (is_object || take('[')) {
      open += is_object ? '}' : ']';
      skip_space();
      if (peek() != open.back()) {
        if (is_object && !skip_key()) return false;
        continue;
      }
    } else if (!skip_scalar()) {
      return false;
    }
    // A value, or what an empty bracket holds, ended here, and with it perhaps those around it.
    while (!open.empty() && take(open.back())) open.pop_back();
    if (open.empty()) return true;
    if (!take(',') || (open.back() == '}' && !skip_key())) return false;
  }
}

bool JsonScanner::skip_key() {
  skip_space();
  return skip_string() && take(':');
}

bool JsonScanner::skip_scalar() {
  switch (peek()) {
    case '"':
      return skip_string();
    case 't':
      return skip_word("true");
    case 'f':
      return skip_word("false");
    case 'n':
      return skip_word("null");
    default:
      return skip_number();
  }
}

bool JsonScanner::skip_string() {
  if (peek() != '"') return false;
  for (++position_; position_ < text_.size(); ++position_) {
    const char c = text_[position_];
    if (c == '"') {
      ++position_;
      return true;
    }
    if (static_cast<unsigned char>(c) < 0x20) return false;
    if (c != '\\') continue;
    ++position_;
    if (peek() == 'u') {
      for (int digit = 0; digit < 4; ++digit) {
        ++position_;
        if (!is_hex_digit(peek())) return false;
      }
    } else if (peek() == '\0' || std::string_view("\"\\/bfnrt").find(peek()) == std::string_view::npos) {
      return false;
    }
  }
  return false;
}

bool JsonScanner::skip_number() {
  if (peek() == '-') ++position_;
  if (peek() == '0') {
    ++position_;
  } else if (!skip_digits()) {
    return false;
  }
  if (peek() == '.') {
    ++position_;
    if (!skip_digits()) return false;
  }
  if (peek() == 'e' || peek() == 'E') {
    ++position_;
    if (peek() == '+' || peek() == '-') ++position_;
    if (!skip_digits()) return false;
  }
  return true;
}

bool JsonScanner::skip_digits() {
  const std::size_t begin = position_;
  while (is_digit(peek())) ++position_;
  return position_ > begin;
}

bool JsonScanner::skip_word(std::string_view word) {
  if (text_.substr(position_, word.size()) != word) return false;
  position_ += word.size();
  return true;
}

}  // namespace weir
