// A handler of one function, for the tests of http/ that need no routes.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "broker/http/handler.h"

namespace weir {

class FakeHandler final : public Handler {
 public:
  explicit FakeHandler(std::function<Reply(Request&)> handle) : handle_(std::move(handle)) {}

  Reply handle(Request& request) override { return handle_(request); }
  Reply overloaded(const Head&) override { return error_reply(503, "full"); }
  std::vector<Header> cors_headers(const Head&) const override { return {}; }
  bool is_draining() const override { return false; }

 private:
  const std::function<Reply(Request&)> handle_;
};

}  // namespace weir
