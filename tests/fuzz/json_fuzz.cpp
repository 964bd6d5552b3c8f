// Compares JsonScanner and the UTF-8 functions with another implementation, nlohmann/json.
#include <algorithm>
#include <cassert>
#include <nlohmann/json.hpp>
#include <string>

#include "fuzz_input.h"
#include "proto/envelope.h"
#include "proto/json_scanner.h"
#include "proto/utf8.h"

namespace weir {
namespace {

using Json = nlohmann::json;

// True if nlohmann/json may refuse `text` although the grammar allows it: it refuses half surrogate
// pairs, and numbers that do not fit a double. It also accepts more than the grammar: a byte order mark,
// and a NUL as end.
bool is_beyond_the_other(std::string_view text) {
  constexpr std::size_t kDigitsOfDouble = 300;
  std::size_t digits = 0;
  for (const char c : text) {
    digits = c >= '0' && c <= '9' ? digits + 1 : 0;
    if (digits > kDigitsOfDouble || c == 'e' || c == 'E') return true;
  }
  return text.find("\\ud") != std::string_view::npos || text.find("\\uD") != std::string_view::npos;
}

void check_scanner(std::string_view text) {
  const bool is_scanned = is_json(text);
  const bool is_utf8_text = is_utf8(text);
  const bool has_other_start = text.starts_with("\xEF\xBB\xBF") || text.find('\0') != std::string_view::npos;
  if (!has_other_start && is_utf8_text) {
    const bool is_accepted = Json::accept(text.begin(), text.end());
    if (is_accepted) assert(is_scanned);
    if (is_scanned && !is_beyond_the_other(text)) assert(is_accepted);
  }

  JsonScanner scanner(text);
  const std::string_view value = scanner.next_value();
  if (value.empty()) {
    assert(!is_scanned);
    return;
  }
  assert(value.data() >= text.data() && value.data() + value.size() <= text.data() + text.size());
  // The slice of a value is exactly one value.
  assert(is_json(value));
  assert((value.front() == '"') == JsonScanner(value).is_at_string());
}

// Both decode a string to the same text, or both refuse it.
void check_text(std::string_view text) {
  if (!is_utf8(text)) return;
  JsonScanner scanner(text);
  std::string decoded;
  if (!scanner.next_text(decoded)) {
    if (!JsonScanner(text).is_at_string()) return;
    const std::string_view value = JsonScanner(text).next_value();
    assert(value.empty() || !Json::accept(value.begin(), value.end()));
    return;
  }
  const std::string_view value = JsonScanner(text).next_value();
  assert(is_utf8(decoded) && decoded.size() + 2 <= value.size());
  assert(Json::parse(value.begin(), value.end()).get<std::string>() == decoded);
}

void check_utf8(std::string_view text) {
  const std::string original(text);
  std::string repaired = original;
  const std::size_t replaced = replace_invalid_utf8(repaired);
  assert((replaced == 0) == is_utf8(original));
  assert((replaced == 0) == (repaired == original));
  assert(is_utf8(repaired) && replace_invalid_utf8(repaired) == 0);
  bool is_dumped = true;
  try {
    (void)Json(original).dump();
  } catch (const Json::type_error&) {
    is_dumped = false;
  }
  assert(is_dumped == is_utf8(original));
  // Only what was replaced is missing from the repaired text.
  assert(repaired.size() + 3 >= original.size() - std::min(original.size(), 3 * replaced));

  const std::string quoted = json_string(repaired);
  assert(is_json(quoted) && quoted.find_first_of("\r\n\0", 0, 3) == std::string::npos);
  assert(Json::parse(quoted).get<std::string>() == repaired);
  assert(quoted == Json(repaired).dump() && json_string(original) == quoted);
}

}  // namespace
}  // namespace weir

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = weir::FuzzInput(data, size).rest();
  weir::check_scanner(text);
  weir::check_text(text);
  // Few inputs are a JSON string. Make one of each.
  weir::check_text('"' + std::string(text) + '"');
  weir::check_utf8(text);
  return 0;
}
