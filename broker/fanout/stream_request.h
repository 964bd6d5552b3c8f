// A client's request for a stream. The route fills it in, the client reads it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/ip_address.h"
#include "broker/fanout/batch.h"

namespace weir {

inline constexpr std::size_t kReplayAll = static_cast<std::size_t>(-1);

// How one channel of a request begins.
struct Beginning {
  // The last n messages of it come first; kReplayAll: everything.
  std::size_t replay = 0;
  // ?new=…: the client's id says nothing of it. It begins live, or with its replay, and nothing of it was missed.
  bool is_new = false;
};

struct StreamRequest {
  std::vector<std::string> channels;  // At least one, each a valid name, none twice.
  Encoding encoding;
  bool may_add_channels = false;  // /events: its ids name the channel, so that others may be added to it.
  std::optional<std::string> last_event_id;  // As the client sent it; may be anything.
  // By channel, in their order. Empty: none has a replay and none is new. Beside last_event_id only those that are
  // new have a replay.
  std::vector<Beginning> beginnings = {};
  // ?since=…, in Unix ms: what was published from then on, of channels without a replay. Only without last_event_id.
  std::optional<std::uint64_t> since = {};
  // The stream ends at this time: the client's token expires.
  std::optional<std::chrono::system_clock::time_point> expires_at;
  std::string head;  // The response head. Sent once every channel is live.
  // Makes the whole response to send instead of `head` if the bus refuses a channel, this one. Any thread.
  std::function<std::string(std::string_view channel)> forbidden;
  std::string comments;      // Comment lines for the first block, each with its line feed.
  IpAddress client_address;  // "::" if unknown.
  // When the request was whole.
  std::chrono::steady_clock::time_point arrived = std::chrono::steady_clock::now();
};

}  // namespace weir
