#include "broker/api/stream_query.h"

#include <algorithm>
#include <string_view>

#include "broker/api/parameters.h"

namespace weir {
namespace {

std::optional<std::size_t> parse_replay(std::string_view text) {
  return text == "all" ? kReplayAll : parse_whole_number<std::size_t>(text);
}

StreamQueryError not_requested(std::string_view parameter, const std::string& channel) {
  return {std::string(parameter) + " names \"" + channel + "\", which is no channel of this request",
          channel};
}

// Reads `replay`, `replay.<channel>` and `new`: later ones win, and those of one channel over that of all.
std::optional<StreamQueryError> read_beginnings(const QueryParameters& query, StreamRequest& request) {
  const auto& channels = request.channels;
  std::size_t replay_of_all = 0;
  if (const std::string* replay = find_last(query, parameter::kReplay)) {
    const auto messages = parse_replay(*replay);
    if (!messages) return StreamQueryError{"replay is neither a number of messages nor all"};
    replay_of_all = *messages;
  }
  std::vector<Beginning> beginnings(channels.size(), Beginning{.replay = replay_of_all});
  // Beside an id a replay is for new channels alone, and has to name them.
  if (request.last_event_id) beginnings.assign(channels.size(), Beginning());
  for (const auto& [name, value] : query) {
    const bool is_new = name == parameter::kNew;
    if (!is_new && !name.starts_with(parameter::kReplayOf)) continue;
    const std::string channel = is_new ? value : name.substr(parameter::kReplayOf.size());
    const auto found = std::find(channels.begin(), channels.end(), channel);
    if (found == channels.end()) return not_requested(is_new ? "new" : "replay.<channel>", channel);
    Beginning& beginning = beginnings[static_cast<std::size_t>(found - channels.begin())];
    if (is_new) {
      beginning.is_new = true;
      continue;
    }
    const auto messages = parse_replay(value);
    if (!messages) {
      return StreamQueryError{"replay." + channel + " is neither a number of messages nor all", channel};
    }
    beginning.replay = *messages;
  }
  for (Beginning& beginning : beginnings) {
    if (!request.last_event_id) beginning.is_new = false;  // Each channel of a first visit is.
    if (request.last_event_id && !beginning.is_new) beginning.replay = 0;
  }
  if (replay_of_all > 0) request.since.reset();
  const auto is_usual = [](const Beginning& beginning) { return beginning.replay == 0 && !beginning.is_new; };
  if (!std::all_of(beginnings.begin(), beginnings.end(), is_usual))
    request.beginnings = std::move(beginnings);
  return std::nullopt;
}

}  // namespace

std::optional<std::string> last_event_id(const Head& head, const QueryParameters& query) {
  const std::string* id = head.find("last-event-id");
  if (id != nullptr && !id->empty()) return *id;
  id = nullptr;
  for (const auto& [name, value] : query) {
    const bool is_id = name == parameter::kLastEventId || name == parameter::kLastEventIdSnakeCase;
    if (is_id && !value.empty()) id = &value;
  }
  if (id == nullptr) return std::nullopt;
  return *id;
}

std::optional<StreamQueryError> read_stream_query(const Head& head, const QueryParameters& query,
                                                  StreamRequest& request) {
  request.last_event_id = last_event_id(head, query);
  if (const std::string* since = find_last(query, parameter::kSince)) {
    request.since = parse_whole_number<std::uint64_t>(*since);
    if (!request.since) return StreamQueryError{"since is not a time in Unix milliseconds"};
  }
  if (auto error = read_beginnings(query, request)) return error;
  if (request.last_event_id) request.since.reset();
  if (const std::string* form = find_last(query, parameter::kForm)) {
    if (*form != "json") return StreamQueryError{"the only other form is ?form=json"};
    request.encoding.form = Form::kJson;
  }
  return std::nullopt;
}

}  // namespace weir
