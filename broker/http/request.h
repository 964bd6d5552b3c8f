// One whole request, as the front collected it.
#pragma once

#include <string>

#include "broker/http/head.h"

namespace weir {

struct Request {
  Head head;
  std::string body;  // Decoded of chunks, byte for byte what the client sent otherwise.
  // The front's decision, from what the client wants and how the gateway is.
  bool keeps_alive = true;
};

}  // namespace weir
