// weir-broker --healthcheck: asks a running gateway with the same settings whether it takes clients. So a
// container image needs no other program for it.
#pragma once

#include <optional>
#include <string>

namespace weir {

// Asks /readyz at `admin_listen`, over loopback if that is all addresses, and waits at most some seconds.
// nullopt if the gateway is ready, else one line that says why not. Blocks; any thread.
std::optional<std::string> why_not_ready(const std::string& admin_listen);

}  // namespace weir
