#include "proto/json_scanner.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "proto/eight_bytes.h"

namespace weir {
namespace {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The bytes that stand for themselves in a string: no quote, no backslash, no control character.
constexpr std::array<bool, 256> kIsPlain = [] {
  std::array<bool, 256> table{};
  for (std::size_t c = 0x20; c < table.size(); ++c) table[c] = c != '"' && c != '\\';
  return table;
}();

// The character for each letter after a backslash; 0 for 'u' and for a letter without one.
constexpr std::array<char, 256> kEscaped = [] {
  std::array<char, 256> table{};
  constexpr std::string_view kNames = "\"\\/bfnrt";
  constexpr std::string_view kCharacters = "\"\\/\b\f\n\r\t";
  for (std::size_t i = 0; i < kNames.size(); ++i)
    table[static_cast<unsigned char>(kNames[i])] = kCharacters[i];
  return table;
}();

constexpr std::int32_t kNoHex = -1;
constexpr std::array<std::int32_t, 256> kHex = [] {
  std::array<std::int32_t, 256> table{};
  table.fill(kNoHex);
  for (std::size_t i = 0; i < 10; ++i) table['0' + i] = static_cast<std::int32_t>(i);
  for (std::size_t i = 0; i < 6; ++i) table['a' + i] = table['A' + i] = static_cast<std::int32_t>(10 + i);
  return table;
}();

template <typename Table>
auto look_up(const Table& table, char c) {
  return table[static_cast<unsigned char>(c)];
}

// The 16 bits of the four hexadecimal digits at `at`; negative if one is no digit.
std::int32_t hex_at(const char* at) {
  return look_up(kHex, at[0]) << 12 | look_up(kHex, at[1]) << 8 | look_up(kHex, at[2]) << 4 |
         look_up(kHex, at[3]);
}

// How many of the eight bytes at `at` are plain before the first other one.
std::size_t plain_bytes(const char* at) {
  const EightBytes word = load_eight(at);
  return bytes_before(first_below(word, 0x20) | first_equal(word, '"') | first_equal(word, '\\'));
}

const char* skip_plain(const char* at, const char* end) {
  while (end - at >= 8) {
    const std::size_t plain = plain_bytes(at);
    at += plain;
    if (plain < 8) return at;
  }
  while (at < end && look_up(kIsPlain, *at)) ++at;
  return at;
}

constexpr bool is_white(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

inline const char* skip_white(const char* at, const char* end) {
  if (at<end&& * at> ' ') return at;
  while (at < end && is_white(*at)) ++at;
  return at;
}

// Each of the following steps over one kind of value at `at`. Returns its end; null if it is broken.

const char* skip_string(const char* at, const char* end) {
  if (at == end || *at != '"') return nullptr;
  ++at;
  for (;;) {
    // Step over a few plain characters one by one: between two escapes there are often few.
    if (end - at < 8) {
      at = skip_plain(at, end);
      if (at == end) return nullptr;
    } else if (*at != '\\' && look_up(kIsPlain, at[0])) {
      if (!look_up(kIsPlain, at[1])) {
        at += 1;
      } else if (!look_up(kIsPlain, at[2])) {
        at += 2;
      } else if (!look_up(kIsPlain, at[3])) {
        at += 3;
      } else {
        at = skip_plain(at + 4, end);
        if (at == end) return nullptr;
      }
    }
    if (*at == '"') return at + 1;
    if (*at != '\\' || end - at < 2) return nullptr;
    if (look_up(kEscaped, at[1]) != 0) {
      at += 2;
    } else if (at[1] == 'u' && end - at >= 6 && hex_at(at + 2) >= 0) {
      at += 6;
    } else {
      return nullptr;
    }
  }
}

// Requires at least one digit.
const char* skip_digits(const char* at, const char* end) {
  if (at == end || !is_digit(*at)) return nullptr;
  while (at < end && is_digit(*at)) ++at;
  return at;
}

const char* skip_number(const char* at, const char* end) {
  if (*at == '-') ++at;
  if (at < end && *at == '0') {
    ++at;
  } else if ((at = skip_digits(at, end)) == nullptr) {
    return nullptr;
  }
  if (at == end || *at == ',') return at;  // Most end here.
  if (*at == '.' && (at = skip_digits(at + 1, end)) == nullptr) return nullptr;
  if (at < end && (*at == 'e' || *at == 'E')) {
    ++at;
    if (at < end && (*at == '+' || *at == '-')) ++at;
    return skip_digits(at, end);
  }
  return at;
}

const char* skip_word(const char* at, const char* end, std::string_view word) {
  const bool is_there =
      static_cast<std::size_t>(end - at) >= word.size() && std::memcmp(at, word.data(), word.size()) == 0;
  return is_there ? at + word.size() : nullptr;
}

const char* skip_scalar(const char* at, const char* end) {
  switch (*at) {
    case '"':
      return skip_string(at, end);
    case 't':
      return skip_word(at, end, "true");
    case 'f':
      return skip_word(at, end, "false");
    case 'n':
      return skip_word(at, end, "null");
    default:
      return skip_number(at, end);
  }
}

// A member's name and its colon.
const char* skip_key(const char* at, const char* end) {
  at = skip_string(skip_white(at, end), end);
  if (at == nullptr) return nullptr;
  at = skip_white(at, end);
  return at < end && *at == ':' ? at + 1 : nullptr;
}

// The open brackets, one bit each, so that a megabyte of them is cheap.
class Nesting {
 public:
  void open(bool is_object) {
    if (++depth_ % 64 == 0) outer_.push_back(inner_);
    inner_ = inner_ << 1 | (is_object ? 1 : 0);
  }
  void close() {
    inner_ >>= 1;
    if (depth_-- % 64 != 0) return;
    inner_ = outer_.back();
    outer_.pop_back();
  }
  bool is_empty() const { return depth_ == 0; }
  // True if the innermost bracket is an object's.
  bool is_object() const { return (inner_ & 1) != 0; }
  char bracket() const { return is_object() ? '}' : ']'; }

 private:
  std::size_t depth_ = 0;
  std::uint64_t inner_ = 0;  // The innermost 1 to 64, the last in the lowest bit.
  std::vector<std::uint64_t> outer_;
};

const char* skip_value(const char* at, const char* end) {
  Nesting nesting;
  for (;;) {
    at = skip_white(at, end);
    if (at == end) return nullptr;
    if (*at == '[' || *at == '{') {
      // Take a row of brackets at once.
      while (end - at > 1 && at[0] == '[' && at[1] == '[') {
        nesting.open(false);
        ++at;
      }
      const bool is_object = *at == '{';
      nesting.open(is_object);
      at = skip_white(at + 1, end);
      if (at == end) return nullptr;
      if (*at != (is_object ? '}' : ']')) {
        if (is_object && (at = skip_key(at, end)) == nullptr) return nullptr;
        continue;
      }
    } else {
      if ((at = skip_scalar(at, end)) == nullptr) return nullptr;
      if (nesting.is_empty()) return at;
    }
    // A value or an empty bracket ended here; that may also end the brackets around it.
    while (at == end || *at != ',') {
      at = skip_white(at, end);
      if (at == end) return nullptr;
      if (*at == nesting.bracket()) {
        nesting.close();
        ++at;
        if (nesting.is_empty()) return at;
      } else if (*at != ',') {
        return nullptr;
      }
    }
    ++at;
    if (nesting.is_object() && (at = skip_key(at, end)) == nullptr) return nullptr;
  }
}

// Writes `c` in UTF-8, at most four bytes; returns the end.
char* put_utf8(char* out, std::uint32_t c) {
  const auto put = [&out](std::uint32_t byte) { *out++ = static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6);
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3F));
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  }
  return out;
}

// Decodes "\uXXXX", or a surrogate pair of them, from the backslash on. Null if it is broken or half a pair.
const char* decode_unicode(const char* at, const char* end, char*& out) {
  if (end - at < 6) return nullptr;
  const std::int32_t first = hex_at(at + 2);
  if (first < 0 || (first & 0xFC00) == 0xDC00) return nullptr;
  std::uint32_t c = static_cast<std::uint32_t>(first);
  at += 6;
  if ((c & 0xFC00) == 0xD800) {
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u') return nullptr;
    const std::int32_t second = hex_at(at + 2);
    if (second < 0 || (second & 0xFC00) != 0xDC00) return nullptr;
    c = 0x10000 + ((c & 0x3FF) << 10 | (static_cast<std::uint32_t>(second) & 0x3FF));
    at += 6;
  }
  out = put_utf8(out, c);
  return at;
}

// Collects decoded text in memory at hand before it goes to the string: one append for each
// piece, not for each escape.
class Piece {
 public:
  explicit Piece(std::string& text) : text_(text) {}

  char* begin() { return bytes_; }
  // Flush past this: a round of decode_string() may write kRoundBytes more.
  char* full() { return bytes_ + kBytes - kRoundBytes; }
  // `left` is the size of the text that is not decoded yet. Decoding makes no text longer, so `text_` grows
  // once, and reserved memory costs nothing until it is written to.
  char* flush(const char* out, std::size_t left) {
    const auto bytes = static_cast<std::size_t>(out - bytes_);
    if (text_.capacity() - text_.size() < bytes) text_.reserve(text_.size() + bytes + left);
    text_.append(bytes_, bytes);
    return bytes_;
  }

 private:
  static constexpr std::size_t kBytes = 2048;
  static constexpr std::size_t kRoundBytes = 16;  // A run and a character.
  std::string& text_;
  char bytes_[kBytes];
};

// How many of the four bytes at `at` are plain before the first other one. One by one, since between two
// escapes there are often few.
std::size_t few_plain(const char* at) {
  if (!look_up(kIsPlain, at[0])) return 0;
  if (!look_up(kIsPlain, at[1])) return 1;
  if (!look_up(kIsPlain, at[2])) return 2;
  return look_up(kIsPlain, at[3]) ? 4 : 3;
}

constexpr std::ptrdiff_t kRunBytesMax = 12;  // Plain bytes that one round of decode_string() copies.

// Decodes the rest of a string, from its first escape to its closing quote, and appends it to `text`. Null if
// it is cut off or broken, or holds half a surrogate pair.
const char* decode_string(const char* at, const char* end, std::string& text) {
  Piece piece(text);
  char* out = piece.begin();
  char* const full = piece.full();
  for (;;) {
    if (out > full) out = piece.flush(out, static_cast<std::size_t>(end - at));
    std::size_t plain = 0;
    if (end - at > kRunBytesMax) {
      copy_four(out, at);
      plain = few_plain(at);
      if (plain == 4) {
        copy_eight(out + 4, at + 4);
        plain += plain_bytes(at + 4);
      }
    } else {
      for (; at + plain < end && look_up(kIsPlain, at[plain]); ++plain) out[plain] = at[plain];
      if (at + plain == end) return nullptr;
    }
    at += plain;
    out += plain;
    if (*at == '\\') {
      if (end - at < 2) return nullptr;
      if (const char c = look_up(kEscaped, at[1]); c != 0) {
        *out++ = c;
        at += 2;
      } else if (at[1] != 'u' || (at = decode_unicode(at, end, out)) == nullptr) {
        return nullptr;
      }
    } else if (*at == '"') {
      piece.flush(out, 0);
      return at + 1;
    } else if (!look_up(kIsPlain, *at)) {
      return nullptr;
    }
  }
}

}  // namespace

bool JsonScanner::take(char c) {
  skip_space();
  if (at_ == end_ || *at_ != c) return false;
  ++at_;
  return true;
}

bool JsonScanner::is_at_string() {
  skip_space();
  return at_ < end_ && *at_ == '"';
}

std::string_view JsonScanner::next_value() {
  skip_space();
  const char* const begin = at_;
  const char* const behind = skip_value(begin, end_);
  if (behind == nullptr) return {};
  at_ = behind;
  return {begin, static_cast<std::size_t>(behind - begin)};
}

bool JsonScanner::next_text(std::string& text) {
  if (!take('"')) return false;
  // Most strings have no escape.
  const char* const begin = at_;
  at_ = skip_plain(begin, end_);
  text.assign(begin, static_cast<std::size_t>(at_ - begin));
  if (at_ < end_ && *at_ == '"') {
    ++at_;
    return true;
  }
  const char* const behind = at_ < end_ ? decode_string(at_, end_, text) : nullptr;
  if (behind == nullptr) return false;
  at_ = behind;
  return true;
}

bool JsonScanner::is_at_end() {
  skip_space();
  return at_ == end_;
}

void JsonScanner::skip_space() { at_ = skip_white(at_, end_); }

}  // namespace weir
