// Whose request it is. Pure, any thread.
#pragma once

#include <string_view>
#include <vector>

#include "broker/base/ip_address.h"

namespace weir {

// The address that `peer`'s request comes from. Where `peer` is a trusted proxy that is what it says, in
// X-Forwarded-For, to whose end each proxy appends the address that it was connected from: the last one that
// is not of a trusted proxy. What stands before it, its client may have made up. An entry that is no address
// says nothing, and the trusted proxy that wrote it counts as the client. `forwarded_for` is the value of all
// headers of that name, in order.
IpAddress client_address(const IpAddress& peer, std::string_view forwarded_for,
                         const std::vector<AddressRange>& trusted);

// The network that pays for a request of `peer` before its head is known: that of `peer`, or "::" for nobody if it
// is a trusted proxy, whose head will say whose request it is.
IpAddress peer_network(const IpAddress& peer, const std::vector<AddressRange>& trusted);

}  // namespace weir
