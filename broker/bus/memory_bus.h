// The bus inside one process: what is published here is delivered here. The default when no Redis is
// configured.
#pragma once

#include <memory>

#include "broker/bus/bus.h"

namespace weir {

std::unique_ptr<Bus> make_memory_bus(const BusLimits& limits, BusListener& listener);

}  // namespace weir
