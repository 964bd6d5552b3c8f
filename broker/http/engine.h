// cpp-httplib, from memory to memory: one whole request in, the bytes of its response out, or a stream's
// head. The only file with the library in it.
//
// The library gets a canonical request that we wrote: method and path, Host, one Content-Length of 0. It
// never sees what it would act on in its own way: Range (a list of 1,900 makes it build as many parts),
// Expect, Transfer-Encoding, Accept-Encoding (it would gzip), Connection, REMOTE_* (it adds its own), form
// types (it would parse the body away). Routes read the checked Request, not the library's: that one
// percent-decodes header values.
//
// Threads: run() may be called by many threads at once.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "broker/http/handler.h"
#include "broker/http/reply.h"
#include "broker/http/request.h"

namespace weir {

// Either bytes to be sent, or a stream to be opened (its head handed over), or a reply that comes later.
struct Answer {
  int status = 200;
  std::string bytes;
  bool closes = false;
  std::optional<Refused> refused;
  std::unique_ptr<StreamOpening> stream;
  std::function<void(std::function<void(Reply::Make)>)> later;
};

class Engine {
 public:
  explicit Engine(Handler& handler);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Never throws. The handler may take what it likes out of `request`.
  Answer run(Request& request);

 private:
  class Library;
  Handler& handler_;
  const std::unique_ptr<Library> library_;
};

Delivery delivery_of(const Request& request);
// The answer that `reply` is, without the library.
Answer plain_answer(Reply reply, const Delivery& delivery);

}  // namespace weir
