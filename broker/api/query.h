// Parses the query parameters and the Accept header of a request. Pure, any thread; the
// input may be anything.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir {

using QueryParameters = std::vector<std::pair<std::string, std::string>>;
// Decodes "a=1&b=%41&c" as forms are encoded: "+" is a space. Keeps the order and repeated names. Returns
// nullopt if an escape is broken or stands for a control character.
std::optional<QueryParameters> parse_query(std::string_view query);

// Whether an Accept header takes text/event-stream. The most specific range decides (RFC 9110, 12.5.1).
struct AcceptedStream {
  bool is_accepted = true;  // Not excluded. An absent Accept takes anything.
  bool is_named = false;    // Named and accepted: every EventSource names it.
};
AcceptedStream read_accept(const std::optional<std::string>& accept);

}  // namespace weir
