// Where in a request its token is.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "broker/api/query.h"
#include "broker/http/head.h"
#include "proto/result.h"

namespace weir {

struct Credential {
  enum class Source { kHeader, kQuery, kCookie };
  Source source = Source::kHeader;
  std::string token;  // May be anything, also empty.
};

// The first of: `Authorization: Bearer …`, ?access_token=… (an EventSource can't set headers), the cookie of
// that name. A browser sends its cookie with everything, so what was put there on purpose comes first; what
// comes first is what counts, also where it is bad. Another scheme than Bearer is for a proxy in front of us.
// The error: two of one place that differ, of which nobody can say which one is meant.
Result<std::optional<Credential>> find_credential(const Head& head, const QueryParameters& query,
                                                  std::string_view cookie_name);

// `query` as it may be logged: names alone, and no name that might be a token which was put in the wrong
// place. Any value could be one, since names are misspelt.
std::string redacted_query(std::string_view query);

}  // namespace weir
