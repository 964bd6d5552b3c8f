#include "publishers/log/line_place.h"

#include <array>
#include <charconv>

namespace weir {
namespace {

std::string hex(std::uint64_t number) {
  std::array<char, 16> digits;
  const auto end = std::to_chars(digits.begin(), digits.end(), number, 16).ptr;
  return {digits.begin(), end};
}

}  // namespace

std::string idempotency_key(const LinePlace& place, std::size_t bytes) {
  std::string key = hex(place.life);
  key.append(":").append(std::to_string(place.offset)).append("+").append(std::to_string(bytes));
  if (place.part > 0) key.append("p").append(std::to_string(place.part));
  if (place.cut > 0) key.append("c").append(std::to_string(place.cut));
  return key;
}

}  // namespace weir
