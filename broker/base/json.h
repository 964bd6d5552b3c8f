// A JSON text as values in memory: the parts of a token and a key set, which are small and read once. Its
// .cpp file is the only one of this folder with nlohmann/json in it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "proto/result.h"

namespace weir {

struct Json {
  enum class Kind { kNull, kBoolean, kNumber, kText, kArray, kObject };
  Kind kind = Kind::kNull;
  double number = 0;  // What needs more than 53 bits is no time and no count.
  std::string text = {};
  std::vector<Json> values = {};        // Of an array, or of the members of an object,
  std::vector<std::string> names = {};  // whose names these are.

  bool is(Kind which) const { return kind == which; }
  // The member of that name; nullptr if there is none, or this is no object.
  const Json* find(std::string_view name) const;
};

inline constexpr std::size_t kJsonDepthMax = 16;
inline constexpr std::size_t kJsonMembersMax = 256;  // Of one object: each name is compared with all before.
inline constexpr std::size_t kJsonValuesMax = 10'000;

// Reads `text`, which may be anything: linear in time, and no recursion beyond the depth. Not read: what is
// nested deeper or holds more than the limits, an object with two members of one name (who checks
// the one could be told apart from who uses the other), numbers that no double holds, what is not UTF-8.
// The error never repeats what `text` says.
Result<Json> parse_json(std::string_view text);

}  // namespace weir
