// Parses the query parameters and the Accept header of a request. Pure, any thread; the
// input may be anything.
#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace weir {

using QueryParameters = std::vector<std::pair<std::string, std::string>>;
// Decodes "a=1&b=%41&c" as forms are encoded: "+" is a space. Keeps the order and repeated names. Returns
// nullopt if an escape is broken or stands for a control character.
std::optional<QueryParameters> parse_query(std::string_view query);

// The value of `name`; nullptr if it is not there. Of a parameter given twice the last one counts: some clients
// append to a URL that has it already.
const std::string* find_last(const QueryParameters& query, std::string_view name);

// The number that `text` is: digits alone. Returns nullopt for anything else, and for a number that is too large.
template <typename Integer>
std::optional<Integer> parse_whole_number(std::string_view text) {
  static_assert(std::is_unsigned_v<Integer>);
  Integer number = 0;
  const char* end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || parsed != end) return std::nullopt;
  return number;
}

// Whether an Accept header takes text/event-stream. The most specific range decides (RFC 9110, 12.5.1).
struct AcceptedStream {
  bool is_accepted = true;  // Not excluded. An absent Accept takes anything.
  bool is_named = false;    // Named and accepted: every EventSource names it.
};
AcceptedStream read_accept(const std::optional<std::string>& accept);

}  // namespace weir
