// The rights that a token gives its holder, once its signature was found good. Values and pure functions; any thread.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/json.h"
#include "proto/result.h"

namespace weir {

struct Claims {
  std::chrono::system_clock::time_point expires_at;
  std::vector<std::string> subscribe = {};  // Patterns (proto/channel_name.h) of channels.
  std::vector<std::string> publish = {};

  bool may_subscribe(std::string_view channel) const;
  bool may_publish(std::string_view channel) const;
};

// The clock of a token's issuer may be so far ahead of ours. `exp` has no such leeway: a stream ends at that
// time, and its client would open it again only to be ended again.
inline constexpr std::chrono::seconds kLeeway{30};
// The last second of the year 9999. Times beyond it are mistakes, and could not be counted in nanoseconds.
inline constexpr double kTimeMax = 253'402'300'799.0;

// Reads the payload of a token (RFC 7519, 4.1). `exp` is required and must be ahead; `nbf` must be past if it
// is there; `aud`, a text or a list of them, must name `audience` unless that is empty. The claim "weir":
// {"subscribe": [pattern], "publish": [pattern]} says what it allows; what is left out is not allowed. The
// error is for the holder: one line of plain ASCII without quotes that repeats nothing of the token.
Result<Claims> read_claims(const Json& payload, const std::string& audience,
                           std::chrono::system_clock::time_point now);

}  // namespace weir
