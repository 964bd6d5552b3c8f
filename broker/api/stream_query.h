// Reads what the query and the headers of a request say of its stream: where it begins, and its form. Pure, any
// thread; the input may be anything.
#pragma once

#include <optional>
#include <string>

#include "broker/api/query.h"
#include "broker/fanout/stream_request.h"
#include "broker/http/head.h"

namespace weir {

// The last event id of a request. The header wins: a browser reconnects with the old URL. In the query the last id
// counts: some clients append a new one to the URL at each reconnect.
std::optional<std::string> last_event_id(const Head& head, const QueryParameters& query);

// Why a stream can't be had.
struct StreamQueryError {
  std::string detail;  // One line, for a 400.
  // The channel that a parameter names, if that is what is wrong; may be anything.
  std::optional<std::string> channel = {};
};

// Sets the last event id, the beginnings, `since` and the form of `request`, whose channels and usual form are there.
// The id wins over all replays but those of new channels, and `replay` over `since`; each must be right all the same.
std::optional<StreamQueryError> read_stream_query(const Head& head, const QueryParameters& query,
                                                  StreamRequest& request);

}  // namespace weir
