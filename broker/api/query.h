// Parses what a request asks for beside its path: query parameters and the Accept header. Pure, any thread;
// the input may be anything.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir {

using QueryParameters = std::vector<std::pair<std::string, std::string>>;
// Decodes "a=1&b=%41&c" as forms are encoded: "+" is a space. Keeps the order, and names that come twice.
// Returns nullopt if an escape is broken or stands for a control character.
std::optional<QueryParameters> parse_query(std::string_view query);

// An Accept header, as to text/event-stream. The most specific range decides (RFC 9110, 12.5.1).
struct AcceptedStream {
  bool is_accepted = true;  // It is not excluded. An absent Accept takes anything.
  bool is_named = false;    // It is named and accepted: every EventSource names it.
};
AcceptedStream read_accept(const std::optional<std::string>& accept);

}  // namespace weir
