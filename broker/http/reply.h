// A handler's answer: a response, a stream that takes the socket, or a reply that comes later. Values and
// pure functions; any thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/base/json.h"
#include "broker/http/head.h"
#include "broker/http/refused.h"

namespace weir {

struct Reply;

// The way in which a response goes to its client.
struct Delivery {
  bool is_http_1_0 = false;
  bool is_head_request = false;
  bool keeps_alive = true;
};

// A stream that waits for its response head and then for its socket. Its calls come one after the other: the
// head on a thread of the pool, the rest on the front loop. If the client goes first, the object is destroyed
// without the rest, on either thread.
class StreamOpening {
 public:
  virtual ~StreamOpening() = default;

  // Takes the response head, blank line included. The stream is sent in chunks unless `delivery` is HTTP/1.0.
  // Keep `delivery`: a response that is sent in place of the stream is encoded for it.
  virtual void set_head(std::string head, const Delivery& delivery) = 0;

  // Takes over `socket`, a connected, non-blocking descriptor on which nothing of the response was sent.
  // Returns false if there is no room: the caller keeps the descriptor, and refusal() is the answer.
  virtual bool open(int socket) = 0;

  // The reply after open() has returned false. Called once.
  virtual Reply refusal() = 0;
};

struct Reply {
  int status = 200;
  std::vector<Header> headers;  // Without Content-Type, Content-Length and Connection.
  std::string content_type;     // Empty: none, and then no body either.
  std::string body;
  bool closes = false;             // The connection ends with this answer.
  std::optional<Refused> refused;  // Set for a refusal that is counted.

  // A stream instead of the body. Status, headers and content_type are those of its head.
  std::unique_ptr<StreamOpening> stream;
  bool is_stream_head = false;  // The answer to a stream's HEAD: headers, but no length and no body.

  // A reply that comes later and replaces this one. `later` is called once, on a thread of the pool. It calls
  // its argument once, on any thread, now or when the outcome is known. Make is then called on the front loop
  // and returns the reply, even if the client has gone; once the server has stopped it is never called.
  using Make = std::function<Reply()>;
  std::function<void(std::function<void(Make)>)> later;
};

// False for a 204 and a 304, which have no body and no length of one.
bool has_content(int status);
// "Not Found" for 404; "Unknown" for a status that is never sent. Lives for ever.
const char* status_text(int status);

// {"error":"<status text>","detail":…}. `detail` may be any bytes.
JsonObject error_json(int status, std::string_view detail);
// error_json() as a reply with that status.
Reply error_reply(int status, std::string_view detail);
// The same with "channel": the one of the request's channels that is refused. May be any bytes.
Reply channel_error_reply(int status, std::string_view detail, std::string_view channel);

// Gives `reply` the headers of a stream of events.
void become_stream(Reply& reply);

// `reply` with more headers.
Reply with_headers(Reply reply, const std::vector<Header>& headers);
// `body` and a line feed, as application/json.
Reply json_reply(int status, const JsonObject& body);

// The line of the Connection header, with its CRLF; empty for HTTP/1.1 that keeps
// the connection, its default.
std::string_view connection_line(const Delivery& delivery);
// Writes a response without the library: a refusal of the front, or a reply that comes later. Requires that
// no header holds CR or LF, and that `reply` is neither a stream nor a later one.
std::string encode_reply(const Reply& reply, const Delivery& delivery);

}  // namespace weir
