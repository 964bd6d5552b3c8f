// What a token says about its holder, once its signature was found good.
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

// How far the clock of who makes tokens may be ahead of ours. `exp` has no such leeway: a stream ends at it,
// and would be opened again and ended again.
inline constexpr std::chrono::seconds kLeeway{30};
// The last second of the year 9999. Times beyond it are mistakes, and could not be counted in nanoseconds.
inline constexpr double kTimeMax = 253'402'300'799.0;

// Reads the payload of a token. `exp` must be there and ahead, `nbf` behind if it is there, `aud` (a text or
// some) must name `audience` unless that is empty; "weir": {"subscribe": [pattern], "publish": [pattern]} is
// what it allows, nothing where it is left out. The error is one line of plain ASCII without quotes that
// repeats nothing of the token.
Result<Claims> read_claims(const Json& payload, const std::string& audience,
                           std::chrono::system_clock::time_point now);

}  // namespace weir
