// A client's request for a stream. The route fills it in, the client reads it.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "broker/base/ip_address.h"
#include "broker/fanout/batch.h"

namespace weir {

inline constexpr std::size_t kReplayAll = static_cast<std::size_t>(-1);

struct StreamRequest {
  std::vector<std::string> channels;  // At least one, each a valid name, none twice.
  Encoding encoding;
  bool may_add_channels = false;  // /events: its ids name the channel, so that others may be added to it.
  std::optional<std::string> last_event_id;  // As the client sent it; may be anything.
  std::size_t replay = 0;                    // ?replay=n; only without last_event_id. kReplayAll: everything.
  // ?since=…, in Unix ms: what was published from then on. Only without last_event_id and replay.
  std::optional<std::uint64_t> since = {};
  // The stream ends at this time: the client's token expires.
  std::optional<std::chrono::system_clock::time_point> expires_at;
  std::string head;          // The response head. Sent once every channel is live.
  std::string forbidden;     // The whole response to send instead of `head` if the bus refuses a channel.
  std::string comments;      // Comment lines for the first block, each with its line feed.
  IpAddress client_address;  // "::" if unknown.
  // When the request was whole.
  std::chrono::steady_clock::time_point arrived = std::chrono::steady_clock::now();
};

}  // namespace weir
