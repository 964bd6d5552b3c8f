// The bus inside one process: it delivers what this process publishes. The default without a Redis.
//
// Ownership: the listener outlives the bus.
#pragma once

#include <memory>

#include "broker/bus/bus.h"

namespace weir {

std::unique_ptr<Bus> make_memory_bus(const BusLimits& limits, BusListener& listener);

}  // namespace weir
