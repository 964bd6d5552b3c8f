#include "proto/position.h"

#include <algorithm>
#include <cassert>

namespace weir {
namespace {

constexpr char kComposite = 'c';
constexpr char kBetweenParts = '.';
constexpr char kBeforeLive = '!';
constexpr std::size_t kDigestDigits = 3;
constexpr std::size_t kMsDigits = 7;
// Stands before the digits of a time that takes more than seven: XADD takes any number for it.
constexpr char kLong = '*';
constexpr std::size_t kLongMsDigits = 11;
constexpr std::uint32_t kDigestMask = (1U << 18) - 1;
// RFC 4648, 5.
constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void append_digits(std::string& to, std::uint64_t number, std::size_t least) {
  char digits[11];  // 64 bits.
  std::size_t count = 0;
  while (number != 0 || count < least) {
    digits[count++] = kDigits[number & 63];
    number >>= 6;
  }
  while (count > 0) to += digits[--count];
}

// Takes `count` digits off `text`, as append_digits() writes them with `least`.
std::optional<std::uint64_t> take_digits(std::string_view& text, std::size_t count, std::size_t least) {
  constexpr std::size_t kMost = 11;
  if (text.size() < count || count > kMost || count < least) return std::nullopt;
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t digit = kDigits.find(text[i]);
    if (digit == std::string_view::npos || number >> 58 != 0) return std::nullopt;
    number = number << 6 | digit;
  }
  if (count > least && text.front() == kDigits.front()) return std::nullopt;  // Never written so.
  text.remove_prefix(count);
  return number;
}

// FNV-1a, folded to 18 bits. http://www.isthe.com/chongo/tech/comp/fnv/
std::uint32_t digest_of(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : bytes) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3;
  }
  return static_cast<std::uint32_t>(hash >> 40 ^ hash >> 16) & kDigestMask;
}

std::optional<Position::Part> parse_part(std::string_view text) {
  const auto name = take_digits(text, kDigestDigits, kDigestDigits);
  if (!name) return std::nullopt;
  const bool is_long = text.starts_with(kLong);
  if (is_long) text.remove_prefix(1);
  const std::size_t digits = is_long ? kLongMsDigits : kMsDigits;
  const auto ms = take_digits(text, digits, digits);
  if (!ms) return std::nullopt;
  const auto n = take_digits(text, text.size(), 1);
  if (!n || !text.empty()) return std::nullopt;
  return Position::Part{static_cast<std::uint32_t>(*name), *ms, *n};
}

std::optional<Position> parse_composite(std::string_view text) {
  Position position;
  if (const std::size_t live = text.find(kBeforeLive); live != std::string_view::npos) {
    position.live = parse_event_id(text.substr(live + 1));
    if (!position.live) return std::nullopt;
    text = text.substr(0, live);
  }
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(kBetweenParts), text.size());
    const auto part = parse_part(text.substr(0, end));
    if (!part) return std::nullopt;
    position.parts.push_back(*part);
    if (end == text.size()) break;
    text.remove_prefix(end + 1);
    if (text.empty()) return std::nullopt;
  }
  return position;
}

}  // namespace

std::string format_composite_id(std::span<const CompositePart> parts, std::string_view live_id) {
  std::string id(1, kComposite);
  for (const CompositePart& part : parts) {
    if (id.size() > 1) id += kBetweenParts;
    const StreamId& at = part.position.id;
    const std::uint64_t ms = part.is_durable ? time_of_birth(at.ms) : at.ms;
    append_digits(id, digest_of(part.channel), kDigestDigits);
    const bool is_long = ms >> 6 * kMsDigits != 0;
    if (is_long) id += kLong;
    append_digits(id, ms, is_long ? kLongMsDigits : kMsDigits);
    append_digits(id, at.n, 1);
  }
  if (!live_id.empty()) id.append(1, kBeforeLive).append(live_id);
  return id;
}

std::optional<StreamPosition> Position::of(std::string_view channel, bool is_durable,
                                           std::span<const std::string> channels) const {
  const std::uint32_t name = digest_of(channel);
  const auto has_name = [&](const std::string& other) { return digest_of(other) == name; };
  if (std::count_if(channels.begin(), channels.end(), has_name) > 1) return std::nullopt;
  if (stream && channels.size() == 1) return StreamPosition{*stream};
  const auto found =
      std::find_if(parts.begin(), parts.end(), [&](const Part& part) { return part.name == name; });
  if (found == parts.end()) return std::nullopt;
  if (!is_durable) return StreamPosition{{found->ms, found->n}};
  return StreamPosition{{first_birth_of(found->ms), found->n}, found->ms != 0};
}

std::optional<Position> parse_position(std::string_view id) {
  if (id.empty() || id.size() > kCompositeIdBytesMax) return std::nullopt;
  if (id.front() == 'g') {
    Position position;
    position.live = parse_event_id(id);
    return position.live ? std::optional(position) : std::nullopt;
  }
  const std::size_t tilde = id.find('~');
  if (tilde != std::string_view::npos && !is_id_suffix(id.substr(tilde + 1))) return std::nullopt;
  id = id.substr(0, tilde);
  if (id.empty()) return std::nullopt;
  if (id.front() == kComposite) return parse_composite(id.substr(1));
  Position position;
  position.stream = parse_stream_id(id);
  return position.stream ? std::optional(position) : std::nullopt;
}

}  // namespace weir
