// Converts the settings to the options of the server and its routes. Pure, any thread. Requires checked
// settings, in which each address and range is valid.
#pragma once

#include <cstdint>
#include <string>

#include "broker/api/admin_routes.h"
#include "broker/api/routes.h"
#include "broker/config.h"
#include "broker/http/server.h"

namespace weir {

ServerOptions server_options(const Config& config);
// `random` seeds the jitter of retry times; `has_keys` says whether there is a TokenVerifier.
RouteOptions route_options(const Config& config, std::uint64_t random, bool has_keys);
AdminOptions admin_options(const Config& config);
// True if `listen` ("127.0.0.1:8080") takes connections from this machine alone.
bool is_loopback(const std::string& listen);

}  // namespace weir
