// The reasons to refuse a request or a stream: the values of the label `reason` of weir_http_refused_total.
#pragma once

#include <cstdint>

namespace weir {

enum class Refused : std::uint8_t {
  // Refused by http/ itself.
  kBadRequest,
  kHeadBytes,
  kHeadSeconds,
  kBodySeconds,
  kTooLarge,
  kRequests,
  kRequestMemory,
  kRequestMemorySlowest,
  kRequestMemoryPerAddress,
  // Places for streams.
  kClients,
  kClientsPerAddress,
  kConnectsPerSecond,
  kDraining,
  kChannels,
  kChannelsPerClient,
  // Refused by rules and tokens.
  kHost,
  kOrigin,
  kSubscribeRule,
  kPublishRule,
  kTokenMissing,
  kTokenBad,
  kTokenScope,
  // Refused by the bus, or not confirmed.
  kBusUnavailable,
  kBusUnknown,
  kBusRefused,
  kCount,
};

// The name of `reason` in metrics and in replies: "clients-per-address". Lives for ever; any thread.
const char* refused_name(Refused reason);

}  // namespace weir
