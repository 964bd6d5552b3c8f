#include "broker/api/query.h"

#include <algorithm>

#include "broker/http/head.h"
#include "proto/text.h"

namespace weir {
namespace {

std::optional<std::string> decode(std::string_view text) {
  std::string with_spaces(text);
  std::replace(with_spaces.begin(), with_spaces.end(), '+', ' ');
  return percent_decode(with_spaces);
}

// True for "q=0", "q=0.0" and so on among the parameters of a media range.
bool has_zero_weight(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::string_view parameter = trim(take_until(parameters, ';'));
    if (parameter.size() < 3 || !equals_ignoring_case(parameter.substr(0, 2), "q=")) continue;
    return parameter.substr(2).find_first_not_of("0.") == std::string_view::npos;
  }
  return false;
}

}  // namespace

std::optional<QueryParameters> parse_query(std::string_view query) {
  QueryParameters parameters;
  while (!query.empty()) {
    std::string_view value = take_until(query, '&');
    if (value.empty()) continue;
    auto name = decode(take_until(value, '='));
    auto decoded = decode(value);
    if (!name || !decoded) return std::nullopt;
    parameters.emplace_back(std::move(*name), std::move(*decoded));
  }
  return parameters;
}

const std::string* find_last(const QueryParameters& query, std::string_view name) {
  const std::string* found = nullptr;
  for (const auto& [key, value] : query) {
    if (key == name) found = &value;
  }
  return found;
}

AcceptedStream read_accept(const std::optional<std::string>& accept) {
  if (!accept || trim(*accept).empty()) return {};
  AcceptedStream answer{false, false};
  int best = -1;
  std::string_view rest = *accept;
  while (!rest.empty()) {
    std::string_view range = take_until(rest, ',');
    const std::string_view type = trim(take_until(range, ';'));
    int rank = -1;
    if (type == "*/*") rank = 0;
    if (equals_ignoring_case(type, "text/*")) rank = 1;
    if (equals_ignoring_case(type, "text/event-stream")) rank = 2;
    if (rank <= best) continue;
    best = rank;
    answer.is_accepted = !has_zero_weight(range);
    answer.is_named = rank == 2 && answer.is_accepted;
  }
  return answer;
}

}  // namespace weir
