// weir-broker --selftest: publishes a message and receives it through a gateway, as a client does. So the test
// of a deployment needs no other program.
#pragma once

#include <optional>
#include <string>

#include "broker/config.h"

namespace weir {

// A gateway's URL: http://host[:port][/base-path].
struct GatewayUrl {
  std::string host;
  std::uint16_t port = 80;
  std::string base_path;  // "" or "/path".
};
Result<GatewayUrl> parse_gateway_url(const std::string& text);

// Opens a stream of config.selftest_channel at the gateway config.selftest, publishes a message with `nonce` there, over
// Redis if there is a redis-url and else over HTTP, and waits for it. nullopt if it came, else one line that says
// what went wrong. Blocks for some seconds at most.
std::optional<std::string> why_selftest_fails(const Config& config, const std::string& nonce);

}  // namespace weir
