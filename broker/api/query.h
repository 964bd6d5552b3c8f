// What a request asks for beside its path: query parameters and the Accept header.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir {

using QueryParameters = std::vector<std::pair<std::string, std::string>>;
// Decodes "a=1&b=%41&c" as forms are encoded ("+" is a space); nullopt where an escape is broken.
std::optional<QueryParameters> parse_query(std::string_view query);

// How an Accept header sees text/event-stream (RFC 9110, 12.5.1: the most specific range decides).
struct AcceptedStream {
  bool is_accepted = true;  // Not excluded: an absent Accept takes anything.
  bool is_named = false;    // Named outright, as every EventSource does.
};
AcceptedStream read_accept(const std::optional<std::string>& accept);

}  // namespace weir
