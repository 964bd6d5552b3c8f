#include "broker/http/refused.h"

#include <array>
#include <cstddef>

namespace weir {
namespace {

// In the order of Refused.
constexpr std::array kNames = {
    "bad-request",
    "head-bytes",
    "head-seconds",
    "body-seconds",
    "too-large",
    "requests",
    "request-memory",
    "request-memory-slowest",
    "request-memory-per-address",
    "clients",
    "clients-per-address",
    "connects-per-second",
    "draining",
    "channels",
    "channels-per-client",
    "host",
    "origin",
    "subscribe-rule",
    "publish-rule",
    "token-missing",
    "token-bad",
    "token-scope",
    "bus-unavailable",
    "bus-unknown",
    "bus-refused",
};
static_assert(kNames.size() == static_cast<std::size_t>(Refused::kCount));

}  // namespace

const char* refused_name(Refused reason) { return kNames[static_cast<std::size_t>(reason)]; }

}  // namespace weir
