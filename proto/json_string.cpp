#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/eight_bytes.h"
#include "proto/envelope.h"
#include "proto/utf8.h"

namespace weir {
namespace {

// The escape of a byte in a JSON string.
struct Escape {
  std::uint8_t bytes = 0;  // 0: stands for itself.
  char text[6] = {};
};
constexpr std::array<Escape, 256> kEscapes = [] {
  std::array<Escape, 256> table{};
  for (std::size_t c = 0; c < 0x20; ++c) {
    table[c] = {6, {'\\', 'u', '0', '0', c < 0x10 ? '0' : '1', "0123456789abcdef"[c % 0x10]}};
  }
  constexpr std::string_view kCharacters = "\"\\\b\f\n\r\t";
  constexpr std::string_view kNames = "\"\\bfnrt";
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    table[static_cast<unsigned char>(kCharacters[i])] = {2, {'\\', kNames[i]}};
  }
  return table;
}();

const Escape& escape_of(char c) { return kEscapes[static_cast<unsigned char>(c)]; }

}  // namespace

std::string json_string(std::string_view text) {
  std::string repaired;
  if (!is_utf8(text)) {
    repaired = text;
    replace_invalid_utf8(repaired);
    text = repaired;
  }
  std::string quoted;
  quoted.reserve(text.size() + 2);
  quoted += '"';
  // Collect in memory at hand first: one append for each piece, not for each escape.
  char piece[2048];
  char* out = piece;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    if (out > piece + sizeof piece - 16) {  // One round writes less.
      quoted.append(piece, static_cast<std::size_t>(out - piece));
      out = piece;
    }
    if (const Escape& escape = escape_of(*at); escape.bytes > 0) {
      for (std::size_t i = 0; i < sizeof escape.text; ++i) out[i] = escape.text[i];
      out += escape.bytes;
      ++at;
    } else if (end - at >= 8) {
      const EightBytes word = load_eight(at);
      const std::size_t plain =
          bytes_before(first_below(word, 0x20) | first_equal(word, '"') | first_equal(word, '\\'));
      copy_eight(out, at);
      out += plain;
      at += plain;
    } else {
      *out++ = *at++;
    }
  }
  quoted.append(piece, static_cast<std::size_t>(out - piece));
  quoted += '"';
  return quoted;
}

}  // namespace weir
