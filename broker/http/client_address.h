// Finds the client of a request, also behind proxies. Pure functions, any thread.
#pragma once

#include <string_view>
#include <vector>

#include "broker/base/ip_address.h"

namespace weir {

// Returns the address of the client behind `peer`: `peer` itself unless it is a trusted proxy. Each proxy
// appends its own peer's address to X-Forwarded-For, so the client is the last entry that is no trusted
// proxy. The client may have made up everything before it. If an entry is no address, the trusted proxy that
// wrote it counts as the client. `forwarded_for` holds all headers of that name, joined in order.
IpAddress client_address(const IpAddress& peer, std::string_view forwarded_for,
                         const std::vector<AddressRange>& trusted);

// Returns the network that is charged for a request of `peer` before its head is known. For a trusted proxy
// that is "::", nobody: the head will tell whose request it is.
IpAddress peer_network(const IpAddress& peer, const std::vector<AddressRange>& trusted);

}  // namespace weir
