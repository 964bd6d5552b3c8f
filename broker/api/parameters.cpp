#include "broker/api/parameters.h"

#include <algorithm>
#include <vector>

namespace weir {
namespace {

bool is_known(std::string_view name, StreamRoute route) {
  if (name.starts_with(parameter::kReplayOf)) return true;  // One of another channel is refused.
  return std::any_of(
      std::begin(kKnownParameters), std::end(kKnownParameters), [&](const KnownParameter& known) {
        return known.name == name && (route == StreamRoute::kEvents || !known.is_for_events_alone);
      });
}

// base64url of `{"`, with which every JWT begins.
bool may_be_token(std::string_view name) { return name.starts_with("eyJ"); }

std::string shown(std::string_view name) {
  std::string text(name.substr(0, kUnknownParameterBytesMax));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

}  // namespace

std::string unknown_parameter_comments(const QueryParameters& query, StreamRoute route) {
  std::vector<std::string> names;
  for (const auto& [name, value] : query) {
    if (name.empty() || is_known(name, route) || may_be_token(name)) continue;
    std::string text = shown(name);
    if (std::find(names.begin(), names.end(), text) != names.end()) continue;
    names.push_back(std::move(text));
    if (names.size() == kUnknownParametersMax) break;
  }
  std::string comments;
  for (const std::string& name : names) comments.append(": unknown parameter \"").append(name).append("\"\n");
  return comments;
}

}  // namespace weir
