#include "proto/json_scanner.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>

namespace weir {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_hex_digit(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

bool is_plain(char c) { return c != '"' && c != '\\' && static_cast<unsigned char>(c) >= 0x20; }

// Where the first byte from `position` on stands that a string doesn't hold as it is: a quote, a backslash or
// a control character. Eight bytes at a time.
std::size_t skip_plain(std::string_view text, std::size_t position) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  // The lowest bit that is set is that of the first byte below `limit`; bits above it may be wrong.
  const auto bytes_below = [](std::uint64_t word, std::uint64_t limit) {
    return (word - limit * kOnes) & ~word & (0x80 * kOnes);
  };
  if constexpr (std::endian::native == std::endian::little) {
    for (std::uint64_t word; position + sizeof word <= text.size(); position += sizeof word) {
      std::memcpy(&word, text.data() + position, sizeof word);
      const std::uint64_t found = bytes_below(word, 0x20) | bytes_below(word ^ ('"' * kOnes), 1) |
                                  bytes_below(word ^ ('\\' * kOnes), 1);
      if (found != 0) return position + static_cast<std::size_t>(std::countr_zero(found)) / 8;
    }
  }
  while (position < text.size() && is_plain(text[position])) ++position;
  return position;
}

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
  for (++position_;; ++position_) {
    position_ = skip_plain(text_, position_);
    if (position_ >= text_.size()) return false;
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
