#include "publishers/log/line_place.h"

#include <charconv>
#include <iterator>

namespace weir {

std::string idempotency_key(const LinePlace& place, std::size_t bytes) {
  char text[100];
  char* end = text;
  const auto add = [&](char mark, std::uint64_t number) {
    *end++ = mark;
    end = std::to_chars(end, std::end(text), number).ptr;
  };
  end = std::to_chars(end, std::end(text), place.life, 16).ptr;
  add(':', place.offset);
  add('+', bytes);
  if (place.part > 0) add('p', place.part);
  if (place.cut > 0) add('c', place.cut);
  return {text, end};
}

}  // namespace weir
