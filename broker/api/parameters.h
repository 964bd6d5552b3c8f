// The query parameters: of streams, and of a page of history. Pure, any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "broker/api/query.h"
#include "proto/sse.h"

namespace weir {

namespace parameter {
inline constexpr std::string_view kAccessToken = "access_token";
inline constexpr std::string_view kChannel = "channel";
inline constexpr std::string_view kForm = "form";
inline constexpr std::string_view kLastEventId = "lastEventId";
// The spelling of Mercure, Nchan and ntfy.
inline constexpr std::string_view kLastEventIdSnakeCase = "last_event_id";
inline constexpr std::string_view kNew = "new";
inline constexpr std::string_view kReplay = "replay";
inline constexpr std::string_view kReplayOf = "replay.";  // And a channel of the request.
inline constexpr std::string_view kSince = "since";
// Cache busters. No stream is cached, but libraries append them to every URL.
inline constexpr std::string_view kTime = "t";
inline constexpr std::string_view kUnderscore = "_";
// Of /channels/{channel}/messages alone.
inline constexpr std::string_view kAfter = "after";
inline constexpr std::string_view kLimit = "limit";
}  // namespace parameter

enum class StreamRoute : std::uint8_t { kChannel, kEvents };

// One row for each parameter of streams.
struct KnownParameter {
  std::string_view name;
  bool is_for_events_alone = false;  // True: /events takes it. False: /channels/{channel} takes it, too.
};
inline constexpr KnownParameter kKnownParameters[] = {
    {parameter::kAccessToken},
    {parameter::kChannel, true},
    {parameter::kForm},
    {parameter::kLastEventId},
    {parameter::kLastEventIdSnakeCase},
    {parameter::kNew},
    {parameter::kReplay},
    {parameter::kSince},
    {parameter::kTime},
    {parameter::kUnderscore},
};

// Limits of unknown_parameter_comments(): the number of names, and the bytes of each.
inline constexpr std::size_t kUnknownParametersMax = 3;
inline constexpr std::size_t kUnknownParameterBytesMax = 32;

// Returns comment lines for the first block of a stream, such as `: unknown parameter "lastid"`: one for each
// parameter of `query` that `route` does not take, in order, none twice. They keep a client that misspells
// lastEventId from believing that resuming is broken. They show names alone, with "?" for a byte that is not
// printable ASCII. A name that looks like a token is left out.
std::string unknown_parameter_comments(const QueryParameters& query, StreamRoute route);

}  // namespace weir
