// The rights that a verified token gives its holder. Values and pure functions; any thread.
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

// How far ahead of ours the clock of a token's issuer may be. `exp` has no leeway: the stream ends at that
// time, and a client that opened it again would only be closed again.
inline constexpr std::chrono::seconds kLeeway{30};
// The last second of the year 9999. Later times are mistakes and don't fit into nanoseconds.
inline constexpr double kTimeMax = 253'402'300'799.0;

// Reads the payload of a token (RFC 7519, 4.1). `exp` is required and must be in the future; `nbf`, if
// present, in the past; `aud`, a text or a list of them, must name `audience` unless that is empty. The claim
// "weir": {"subscribe": [pattern], "publish": [pattern]} allows these channels and no others. The error is
// for the holder: one line of plain ASCII without quotes that repeats nothing of the token.
Result<Claims> read_claims(const Json& payload, const std::string& audience,
                           std::chrono::system_clock::time_point now);

}  // namespace weir
