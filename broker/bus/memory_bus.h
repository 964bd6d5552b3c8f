// The bus inside one process: what is published here is delivered here. The default when no Redis is
// configured.
#pragma once

#include <cstddef>
#include <memory>

#include "broker/bus/bus.h"

namespace weir {

struct MemoryBusLimits {
  std::size_t message_bytes_max = 4 << 20;
  std::size_t publishes_waiting_max = 10'000;  // Past it a publish is kUnavailable.
  std::size_t publishes_waiting_bytes_max = 64 << 20;
};

std::unique_ptr<Bus> make_memory_bus(MemoryBusLimits limits, BusListener& listener);

}  // namespace weir
