// What a route answers: a response, or a stream to be opened, or a message to be published first.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/bus/bus.h"
#include "broker/http/head.h"
#include "broker/hub/gateway.h"

namespace weir {

struct Reply {
  int status = 200;
  std::vector<Header> headers;  // Without Content-Type, Content-Length and Connection.
  std::string content_type;     // Empty: none.
  std::string body;
  bool closes = false;            // The connection ends with this answer.
  const char* refused = nullptr;  // Why it is a refusal, for the metric.

  // A stream: `head` is filled in on the way. Status, headers and content_type above are those of its head.
  struct Opening {
    StreamRequest request;
    Place place;
    std::unique_ptr<Reply> if_full;       // The answer if the hub won't take it.
    std::unique_ptr<Reply> if_forbidden;  // The answer if the bus refuses one of its channels.
  };
  std::optional<Opening> stream;
  bool is_stream_head = false;  // A HEAD of a stream: its headers, no length and no body.

  // A message to be handed to the bus; `finish` makes the answer of what came of it, on the front's thread.
  struct Publication {
    std::string channel;
    std::string payload;
    std::function<Reply(PublishResult)> finish;
  };
  std::optional<Publication> publication;
};

const char* status_text(int status);

// {"error":"<status text>","detail":…} with that status. `detail` may be any bytes.
Reply error_reply(int status, std::string_view detail);
Reply json_reply(int status, std::string body);

// How a response goes to its client.
struct Delivery {
  bool is_http_1_0 = false;
  bool is_head_request = false;
  bool keeps_alive = true;
};
// The Connection header of a response, with its CRLF; empty where HTTP's default says the same.
std::string_view connection_line(const Delivery& delivery);
// The bytes of a response that does not go through the library: what the front itself refuses, and what is
// known only after the bus has answered. Requires that no header holds CR or LF.
std::string encode_reply(const Reply& reply, const Delivery& delivery);

}  // namespace weir
