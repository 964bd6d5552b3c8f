#include "proto/utf8.h"

#include <array>
#include <cstdint>

#include "proto/eight_bytes.h"

namespace weir {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

constexpr std::size_t kPieceBytes = 2048;

// The bytes that may follow a first byte.
struct Lead {
  std::uint8_t bytes = 0;  // The size of the whole character; 0 if none begins so.
  // The range of the second byte: narrower against overlong forms, surrogates and values past U+10FFFF.
  std::uint8_t low = 0x80;
  std::uint8_t high = 0xBF;
};
constexpr std::array<Lead, 256> kLeads = [] {
  std::array<Lead, 256> table{};
  for (std::size_t byte = 0; byte < 0x80; ++byte) table[byte].bytes = 1;
  for (std::size_t byte = 0xC2; byte <= 0xF4; ++byte)
    table[byte].bytes = byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
  table[0xE0].low = 0xA0;
  table[0xED].high = 0x9F;
  table[0xF0].low = 0x90;
  table[0xF4].high = 0x8F;
  return table;
}();

// One encoded character, or its longest well-formed start.
struct Utf8Sequence {
  std::size_t bytes = 1;
  bool is_valid = false;
};

inline Utf8Sequence sequence_at(std::string_view text, std::size_t position) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[position + i]); };
  const Lead lead = kLeads[byte(0)];
  if (lead.bytes <= 1) return {1, lead.bytes == 1};
  const std::size_t left = text.size() - position;
  if (left < 2 || byte(1) < lead.low || byte(1) > lead.high) return {1, false};
  for (std::size_t i = 2; i < lead.bytes; ++i) {
    if (i >= left || (byte(i) & 0xC0) != 0x80) return {i, false};
  }
  return {lead.bytes, true};
}

// How many of the eight bytes at `at` are ASCII before the first other one.
std::size_t ascii_bytes(const char* at) { return bytes_before(load_eight(at) & kTopBits); }

// The size of the character that begins in the lowest byte of `four`, which is not ASCII; 0 if none does.
std::size_t character_bytes(std::uint32_t four) {
  if ((four & 0xC0C0F0) == 0x8080E0) {
    const std::uint32_t narrow = four & 0x200F;  // 0: overlong; 0x200D: a surrogate.
    return narrow == 0 || narrow == 0x200D ? 0 : 3;
  }
  if ((four & 0xC0E0) == 0x80C0) return (four & 0x1E) == 0 ? 0 : 2;  // Overlong without one of these bits.
  if ((four & 0xC0C0C0F8) != 0x808080F0) return 0;
  // The bits above the lowest sixteen: from U+10000 to U+10FFFF.
  const std::uint32_t plane = (four & 0x07) << 2 | (four >> 12 & 0x03);
  return plane == 0 || plane > 16 ? 0 : 4;
}

// Steps over ASCII and whole characters. May stop early: the last seven bytes are left to the caller.
std::size_t skip_valid(std::string_view text, std::size_t position) {
  while (position + 8 <= text.size()) {
    const EightBytes word = load_eight(text.data() + position);
    const EightBytes not_ascii = word & kTopBits;
    if (not_ascii == 0) {
      position += 8;  // Most payloads are ASCII all through.
    } else if ((not_ascii & 0x80) == 0) {
      position += bytes_before(not_ascii);
    } else {
      // `word` decides only how far to go, so the processor loads the next word before
      // it understands this one.
      const std::size_t bytes = character_bytes(static_cast<std::uint32_t>(word));
      if (bytes == 0) break;
      position += bytes;
    }
  }
  return position;
}

// The position of the first invalid sequence at or after `position`; the end of `text` if there is none.
std::size_t find_invalid(std::string_view text, std::size_t position) {
  while ((position = skip_valid(text, position)) < text.size()) {
    const Utf8Sequence sequence = sequence_at(text, position);
    if (!sequence.is_valid) break;
    position += sequence.bytes;
  }
  return position;
}

}  // namespace

bool is_utf8(std::string_view text) { return find_invalid(text, 0) == text.size(); }

std::size_t replace_invalid_utf8(std::string& text) {
  const std::size_t invalid = find_invalid(text, 0);
  if (invalid == text.size()) return 0;
  std::string replaced;
  replaced.reserve(text.size() + 64);
  replaced.append(text, 0, invalid);
  // Collect in memory at hand first: one append for each piece, not for each sequence.
  char piece[kPieceBytes];
  char* out = piece;
  std::size_t count = 0;
  for (std::size_t at = invalid; at < text.size();) {
    if (out > piece + kPieceBytes - 8) {  // One round writes eight at most.
      replaced.append(piece, static_cast<std::size_t>(out - piece));
      out = piece;
    }
    if (text.size() - at >= 8 && static_cast<unsigned char>(text[at]) < 0x80) {
      const std::size_t ascii = ascii_bytes(text.data() + at);
      copy_eight(out, text.data() + at);
      out += ascii;
      at += ascii;
      continue;
    }
    const Utf8Sequence sequence = sequence_at(text, at);
    if (sequence.is_valid) {
      for (std::size_t i = 0; i < sequence.bytes; ++i) *out++ = text[at + i];
    } else {
      for (const char c : kReplacement) *out++ = c;
      ++count;
    }
    at += sequence.bytes;
  }
  replaced.append(piece, static_cast<std::size_t>(out - piece));
  text = std::move(replaced);
  return count;
}

}  // namespace weir
