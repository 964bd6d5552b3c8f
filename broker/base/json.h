// JSON texts, read into values and written member by member: tokens, key sets and replies, all of them small.
//
// Threads: functions any thread, values one thread at a time. json.cpp is the only file under
//          broker/ that includes nlohmann/json.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/result.h"

namespace weir {

// A JSON value that was read.
struct Json {
  enum class Kind { kNull, kBoolean, kNumber, kText, kArray, kObject };
  Kind kind = Kind::kNull;
  double number = 0;  // Exact up to 53 bits: no time and no count of ours needs more.
  std::string text = {};
  // The elements of an array, or the values of an object's members.
  std::vector<Json> values = {};
  // The names of an object's members, in the order of `values`.
  std::vector<std::string> names = {};

  bool is(Kind which) const { return kind == which; }
  // The member of that name; nullptr if there is none, or if this is no object.
  const Json* find(std::string_view name) const;
};

inline constexpr std::size_t kJsonDepthMax = 16;
// For one object: each name is compared with all before it.
inline constexpr std::size_t kJsonMembersMax = 256;
inline constexpr std::size_t kJsonValuesMax = 10'000;

// Reads `text`, which may be anything, in linear time and to a bounded depth. Refuses a text that is
// nested deeper or holds more than the limits allow, an object with two members of one name (readers could
// disagree), a number that no double holds, and invalid UTF-8. The error repeats no part of `text`.
Result<Json> parse_json(std::string_view text);

// A JSON object that is being written. Members keep the order of the calls. The caller gives each name once,
// of letters, digits and points.
//
// The library writes the texts, the one part that is hard to get right. Its own objects are trees: with them
// HTTP publishing is 4 % slower.
class JsonObject {
 public:
  // `text` may be any bytes: U+FFFD stands for what is not UTF-8.
  JsonObject& add_text(std::string_view name, std::string_view text);
  JsonObject& add_number(std::string_view name, std::uint64_t number);
  // Rounds `number`, which is finite, to one digit after the point.
  JsonObject& add_tenths(std::string_view name, double number);
  JsonObject& add_flag(std::string_view name, bool flag);
  JsonObject& add_null(std::string_view name);
  JsonObject& add_list(std::string_view name, const std::vector<JsonObject>& objects);
  // `value` is JSON already.
  JsonObject& add_json(std::string_view name, std::string_view value);

  // The object on one line, without white space. Never throws for what was added.
  std::string text() const;

 private:
  std::string members_;
};

}  // namespace weir
