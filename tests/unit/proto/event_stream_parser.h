// An EventSource's reading of a stream, written from the standard alone and not from our encoder.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

struct DispatchedEvent {
  std::string type;  // "message" where the stream names none.
  std::string data;
  std::string last_event_id;
};

struct EventStream {
  std::vector<DispatchedEvent> events;
  std::vector<std::string> comments;
  std::string last_event_id;
  std::optional<long> reconnection_time;
  std::vector<std::string> ignored;  // Lines that an EventSource ignores. weir sends none.
};

// WHATWG HTML, 9.2.5 and 9.2.6, of a whole stream. An event that no blank line ends is discarded.
EventStream parse_event_stream(std::string_view stream);

// What is left of line breaks after the way through data lines: each is one LF.
std::string with_lf_only(std::string_view text);

}  // namespace weir
