#include "bench/load/stamp.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <chrono>

namespace weir::bench {

namespace {

void put_digits(char* end, std::size_t digits, std::uint64_t number) {
  for (std::size_t i = 0; i < digits; ++i, number /= 10) *--end = static_cast<char>('0' + number % 10);
}

bool take_digits(std::string_view digits, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return error == std::errc() && end == digits.data() + digits.size();
}

}  // namespace

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::string make_payload(std::size_t bytes, Stamp stamp) {
  assert(bytes >= kPayloadBytesMin);
  std::string payload(bytes, 'x');
  const std::string_view begin = R"({"msg":")";
  const std::string_view end = R"("})";
  char* at = std::copy(begin.begin(), begin.end(), payload.data());
  at = std::copy(kStampMarker.begin(), kStampMarker.end(), at);
  put_digits(at + 10, 10, stamp.sequence);
  at[10] = ' ';
  put_digits(at + 30, 19, static_cast<std::uint64_t>(stamp.due_ns));
  at[30] = ' ';
  std::copy(end.begin(), end.end(), payload.end() - static_cast<std::ptrdiff_t>(end.size()));
  return payload;
}

bool StampScanner::parse(std::string_view text, Stamp& stamp) {
  if (!text.starts_with(kStampMarker)) return false;
  text.remove_prefix(kStampMarker.size());
  std::uint64_t due = 0;
  if (text[10] != ' ' || !take_digits(text.substr(0, 10), stamp.sequence) ||
      !take_digits(text.substr(11, 19), due)) {
    return false;
  }
  stamp.due_ns = static_cast<std::int64_t>(due);
  return true;
}

}  // namespace weir::bench
