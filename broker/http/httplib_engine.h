// cpp-httplib, from memory to memory: one whole request in, the bytes of its response out. Its server is used
// in httplib_engine.cpp alone; base/http_client.cpp and the publishers' http_sink.cpp use its client.
//
// The library calls our handler and writes the head of the response. We do the rest:
// - Sockets: the library's server never listens. connection.cpp reads and writes.
// - Parsing: head.cpp has parsed and checked the request. The library parses a canonical one that we write,
//   of method, path, Host and a Content-Length of 0. It never sees the headers it would act on: Range (a
//   list of 1,900 makes it build as many parts), Expect, Transfer-Encoding, Accept-Encoding (it would gzip),
//   Connection, REMOTE_* (it adds its own), form types (it would parse the body away).
// - Routing: our handler (api/routes.cpp) is the library's pre-routing handler, so the library's own routing never
//   runs: its std::regex would recurse for each character of a path. The handler reads our Request, since the
//   library's has percent-decoded headers.
// - The final head: rewrite_head() drops the library's headers for the connection and for ranges, the
//   Transfer-Encoding that an HTTP/1.0 client does not know, and the length of a 204. encode_reply() writes a response without the
//   library: a refusal by http/ itself, a reply that comes later, and the answer to the HEAD of a stream.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "broker/http/handler.h"
#include "broker/http/reply.h"
#include "broker/http/request.h"

namespace weir {

// The outcome of a request: send `bytes`, open `stream`, or wait for `later`.
struct Answer {
  int status = 200;
  std::string bytes;
  bool closes = false;  // The connection ends with it.
  std::optional<Refused> refused;
  std::unique_ptr<StreamOpening> stream;
  std::function<void(std::function<void(Reply::Make)>)> later;
};

// Threads:   run() on the threads of the pool, many at once.
// Ownership: the handler outlives it.
class HttplibEngine {
 public:
  explicit HttplibEngine(Handler& handler);
  ~HttplibEngine();
  HttplibEngine(const HttplibEngine&) = delete;
  HttplibEngine& operator=(const HttplibEngine&) = delete;

  // Asks the handler and writes the answer. Never throws: an exception of the handler becomes a 500, and only
  // the log gets its text. The handler may move from `request`. A stream gets its head.
  Answer run(Request& request);

 private:
  class Library;
  Handler& handler_;
  const std::unique_ptr<Library> library_;
};

// How the response to `request` is delivered.
Delivery delivery_of(const Request& request);
// Writes `reply` as an answer without the library. Requires that it is neither a stream nor a later one.
Answer plain_answer(Reply reply, const Delivery& delivery);

}  // namespace weir
