#include "proto/utf8.h"

#include <cstdint>
#include <cstring>

namespace weir {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// One encoded character, or the longest part of one that is well-formed so far.
struct Utf8Sequence {
  std::size_t bytes = 1;
  bool is_valid = false;
};

Utf8Sequence sequence_at(std::string_view text, std::size_t position) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[position + i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {1, true};
  if (lead < 0xC2 || lead > 0xF4) return {1, false};
  const std::size_t bytes = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // Only the second byte has narrower limits: against overlong forms, surrogates and what is past U+10FFFF.
  unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  for (std::size_t i = 1; i < bytes; ++i) {
    if (position + i >= text.size() || byte(i) < low || byte(i) > high) return {i, false};
    low = 0x80;
    high = 0xBF;
  }
  return {bytes, true};
}

// Most payloads are ASCII all through: eight bytes at a time.
std::size_t skip_ascii(std::string_view text, std::size_t position) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  for (std::uint64_t word; position + sizeof word <= text.size(); position += sizeof word) {
    std::memcpy(&word, text.data() + position, sizeof word);
    if (word & kHighBits) break;
  }
  while (position < text.size() && static_cast<unsigned char>(text[position]) < 0x80) ++position;
  return position;
}

// Where the first sequence from `position` on stands that is not UTF-8; the end of `text` if there is none.
std::size_t find_invalid(std::string_view text, std::size_t position) {
  while ((position = skip_ascii(text, position)) < text.size()) {
    const Utf8Sequence sequence = sequence_at(text, position);
    if (!sequence.is_valid) break;
    position += sequence.bytes;
  }
  return position;
}

}  // namespace

bool is_utf8(std::string_view text) { return find_invalid(text, 0) == text.size(); }

std::size_t replace_invalid_utf8(std::string& text) {
  std::size_t invalid = find_invalid(text, 0);
  if (invalid == text.size()) return 0;
  std::string replaced;
  replaced.reserve(text.size() + 64);
  std::size_t count = 0;
  for (std::size_t begin = 0; begin < text.size(); invalid = find_invalid(text, begin)) {
    replaced.append(text, begin, invalid - begin);
    if (invalid == text.size()) break;
    replaced += kReplacement;
    ++count;
    begin = invalid + sequence_at(text, invalid).bytes;
  }
  text = std::move(replaced);
  return count;
}

}  // namespace weir
