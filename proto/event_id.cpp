#include "proto/event_id.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <utility>

namespace weir {
namespace {

constexpr std::string_view kEnd = "end";
constexpr std::string_view kEndMark = "~end";
constexpr std::size_t kOwnIdBytesMax = 64;
constexpr std::size_t kEpochBytesMin = 8;
constexpr std::size_t kEpochBytesMax = 16;
constexpr std::size_t kDigitsMax = 20;  // The most that 64 bits need.
static_assert(1 + kEpochBytesMax + 1 + kDigitsMax + 1 + kOwnIdBytesMax + kEndMark.size() <= kEventIdBytesMax);

// Printable ASCII, except Fetch's "CORS-unsafe request-header byte".
bool is_safe_character(char c) {
  constexpr std::string_view kUnsafe = "\"():<>?@[\\]{}";
  return c >= 0x20 && c <= 0x7e && kUnsafe.find(c) == std::string_view::npos;
}

// A space at either end would not survive the header of a reconnect: "end " would come back as "end".
bool is_safe(std::string_view id, std::size_t bytes_max) {
  return !id.empty() && id.size() <= bytes_max && id.front() != ' ' && id.back() != ' ' &&
         std::all_of(id.begin(), id.end(), is_safe_character);
}

bool is_epoch(std::string_view epoch) {
  return epoch.size() >= kEpochBytesMin && epoch.size() <= kEpochBytesMax &&
         std::all_of(epoch.begin(), epoch.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
}

std::optional<Sequence> parse_sequence(std::string_view digits) {
  if (digits.size() > 1 && digits.front() == '0') return std::nullopt;  // Never written so.
  Sequence sequence = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), sequence);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return sequence;
}

}  // namespace

std::string make_epoch(std::uint64_t random) {
  constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::string epoch(13, '0');  // 36^13 is just above 2^64.
  for (auto digit = epoch.rbegin(); digit != epoch.rend(); ++digit) {
    *digit = kDigits[random % kDigits.size()];
    random /= kDigits.size();
  }
  return epoch;
}

std::string format_event_id(std::string_view epoch, Sequence sequence) {
  return format_event_id(epoch, sequence, {}, false);
}

std::string format_event_id(std::string_view epoch, Sequence sequence, std::string_view own_id, bool is_end) {
  assert(epoch.size() >= kEpochBytesMin && epoch.size() <= kEpochBytesMax);
  assert(own_id.empty() || is_own_id(own_id));
  char digits[kDigitsMax];
  const auto end_of_digits = std::to_chars(std::begin(digits), std::end(digits), sequence).ptr;
  std::string id;
  id.reserve(1 + epoch.size() + 1 + sizeof digits + 1 + own_id.size() + kEndMark.size());
  id += 'g';
  id += epoch;
  id += '.';
  id.append(digits, end_of_digits);
  return with_id_suffix(std::move(id), own_id, is_end);
}

std::string with_id_suffix(std::string position, std::string_view own_id, bool is_end) {
  assert(own_id.empty() || is_own_id(own_id));
  if (!own_id.empty()) position.append(1, '~').append(own_id);
  if (is_end) position += kEndMark;
  return position;
}

bool is_id_suffix(std::string_view suffix) {
  if (suffix == kEnd) return true;
  if (suffix.ends_with(kEndMark)) suffix.remove_suffix(kEndMark.size());
  return is_own_id(suffix);
}

std::optional<EventId> parse_event_id(std::string_view id) {
  if (!is_safe(id, kEventIdBytesMax) || id.front() != 'g') return std::nullopt;
  id.remove_prefix(1);
  const std::size_t tilde = id.find('~');
  if (tilde != std::string_view::npos) {
    if (!is_id_suffix(id.substr(tilde + 1))) return std::nullopt;
    id = id.substr(0, tilde);
  }
  const std::size_t dot = id.find('.');
  if (dot == std::string_view::npos || !is_epoch(id.substr(0, dot))) return std::nullopt;
  const auto sequence = parse_sequence(id.substr(dot + 1));
  if (!sequence) return std::nullopt;
  return EventId{std::string(id.substr(0, dot)), *sequence};
}

bool is_end_id(std::string_view id) {
  return is_safe(id, kEventIdBytesMax) && id.size() > kEndMark.size() && id.ends_with(kEndMark);
}

bool is_own_id(std::string_view id) {
  return is_safe(id, kOwnIdBytesMax) && id != kEnd && !id.ends_with(kEndMark);
}

}  // namespace weir
