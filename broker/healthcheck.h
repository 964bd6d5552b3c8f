// weir-broker --healthcheck: asks the gateway that runs with the same settings whether it takes clients. A
// container image then needs no program for it besides the gateway itself.
#pragma once

#include <optional>
#include <string>

namespace weir {

// Asks /readyz at `admin_listen`, over loopback where that is all addresses, and waits at most some seconds.
// Nothing when the gateway is ready, else why not in one line. Blocks; any thread.
std::optional<std::string> why_not_ready(const std::string& admin_listen);

}  // namespace weir
