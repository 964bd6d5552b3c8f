// The query parameters that are known: all of their names, and which streams take them.
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
inline constexpr std::string_view kLastEventIdSnakeCase =
    "last_event_id";  // As Mercure, Nchan and ntfy spell it.
inline constexpr std::string_view kReplay = "replay";
inline constexpr std::string_view kTime = "t";        // Cache busters: ours are not cached, but libraries
inline constexpr std::string_view kUnderscore = "_";  // append them to every URL.
}  // namespace parameter

enum class StreamRoute : std::uint8_t { kChannel, kEvents };

// A row for each parameter that a stream takes.
struct KnownParameter {
  std::string_view name;
  bool is_for_events_alone = false;  // /events; else /channels/{channel} too.
};
inline constexpr KnownParameter kKnownParameters[] = {
    {parameter::kAccessToken}, {parameter::kChannel, true},        {parameter::kForm},
    {parameter::kLastEventId}, {parameter::kLastEventIdSnakeCase}, {parameter::kReplay},
    {parameter::kTime},        {parameter::kUnderscore},
};

// Whoever misspells lastEventId must not believe that resuming is broken. Limits: so many names are told of a
// request, and so many bytes of each.
inline constexpr std::size_t kUnknownParametersMax = 3;
inline constexpr std::size_t kUnknownParameterBytesMax = 32;

// Comment lines for the first block of a stream, `: unknown parameter "lastid"`: one for each parameter of
// `query` that `route` does not know, in order, none twice. Names alone, never values; a byte that is not
// printable ASCII is a "?". A token that stands where a name should is left out.
std::string unknown_parameter_comments(const QueryParameters& query, StreamRoute route);

}  // namespace weir
