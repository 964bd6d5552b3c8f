// A page of a channel's history: GET /channels/{channel}/messages?after=<id>&limit=n. Pure, any thread.
#pragma once

#include <cstddef>
#include <string>

#include "broker/api/query.h"
#include "broker/http/reply.h"
#include "broker/hub/gateway.h"
#include "proto/result.h"

namespace weir {

inline constexpr std::size_t kPageMessages = 100;
inline constexpr std::size_t kPageMessagesMax = 1'000;

// Reads `after` and `limit` of `query`. An empty `after` is none: a client's first page. The error is one line, for
// a 400.
Result<HistoryQuery> history_query(std::string channel, const QueryParameters& query);

// {"messages":[{"id":…,"type":…,"data":…,"time":…}],"next":…,"missed":…}, or the error that `page` says. No cache
// may keep it.
Reply history_reply(const HistoryPage& page);

}  // namespace weir
