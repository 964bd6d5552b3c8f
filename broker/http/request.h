// One request, as the front collected it.
#pragma once

#include <string>

#include "broker/base/ip_address.h"
#include "broker/http/head.h"

namespace weir {

struct Request {
  Head head;
  std::string body;  // Decoded of chunks, byte for byte what the client sent otherwise.
  // False: the body is still to come, and the question is whether it may (Routes::handle()).
  bool is_whole = true;
  bool is_admitted = false;  // That question was answered with yes.
  // The front's decision, from what the client wants and how the gateway is.
  bool keeps_alive = true;
  IpAddress client_address;  // client_address.h; "::" where it is not known.
};

}  // namespace weir
