// One request, as a connection collected it. A value.
#pragma once

#include <chrono>
#include <string>

#include "broker/base/ip_address.h"
#include "broker/http/head.h"

namespace weir {

struct Request {
  Head head;
  std::string body;  // The bytes from the client, without the chunk coding.
  // False if the body is still to come, and the question is whether it may. See Handler::handle().
  bool is_whole = true;
  bool is_admitted = false;  // That question was answered with yes.
  // The connection may continue after the answer: the client wants it and the gateway does not drain.
  bool keeps_alive = true;
  IpAddress client_address;                       // See client_address.h; "::" if unknown.
  std::chrono::steady_clock::time_point arrived;  // When it was whole.
};

}  // namespace weir
