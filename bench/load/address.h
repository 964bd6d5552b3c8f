// Where a server is and what is asked of it.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <string>

#include "proto/result.h"

namespace weir::bench {

// "http://127.0.0.1:8080/channels/{channel}" or "redis://127.0.0.1:6379".
struct Address {
  std::string scheme;
  sockaddr_in socket{};
  std::string host;  // "127.0.0.1:8080", for the Host header.
  std::string path;  // With {channel} in it, or empty.
};

// An IPv4 address of this machine's loopback: what is measured stays on the machine.
Result<Address> parse_address(const std::string& text);

// `path` with the channel's name for {channel}.
std::string path_of(const Address& address, const std::string& channel);

// A non-blocking TCP socket that is connecting to `address` from 127.0.0.1 + `source` (so that a great many
// connections find ports); -1 with errno. A `receive_buffer` of 0 is the kernel's own.
int connect_to(const Address& address, unsigned source, int receive_buffer);

}  // namespace weir::bench
