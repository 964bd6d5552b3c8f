// Finds the token of a request. Pure, any thread; the request may be anything.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "broker/api/query.h"
#include "broker/http/head.h"
#include "broker/http/refused.h"
#include "broker/http/reply.h"
#include "proto/result.h"

namespace weir {

struct Credential {
  enum class Source { kHeader, kQuery, kCookie };
  Source source = Source::kHeader;
  std::string token;  // Unchecked: may be anything, even empty.
};

// Returns the first of these, or nullopt if there is none: `Authorization: Bearer TOKEN`;
// ?access_token=TOKEN, since an EventSource can't set headers; the cookie of that name, last because a
// browser sends it with every request. The first one counts even if it is bad. A scheme other than Bearer is
// for a proxy in front of us and is skipped. The error is for the holder: one place has two different tokens,
// so the meant one is unknown.
Result<std::optional<Credential>> find_credential(const Head& head, const QueryParameters& query,
                                                  std::string_view cookie_name);

// Returns the token of `Authorization: Bearer TOKEN`, or nullopt if there is none. The error as above.
Result<std::optional<std::string>> find_bearer_token(const Head& head);

// The answer to a request whose token is missing, bad, or not enough (RFC 6750, 3). `parameters` say what is
// wrong with the token; they are empty if there was none. `channel` is the one it is not enough for, if it is one.
Reply challenge(int status, std::string_view detail, Refused refused, const std::string& parameters = "",
                std::optional<std::string_view> channel = {});

// Returns `query` as it may be logged: the first ten names, without values, since any value may be a token
// under a misspelt name. Hides a name that may itself be a token.
std::string redacted_query(std::string_view query);

}  // namespace weir
