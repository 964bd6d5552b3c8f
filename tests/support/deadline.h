// How long a test waits for what should come at once.
#pragma once

#include <chrono>

namespace weir {

// Generous: only reached when something is broken.
inline constexpr std::chrono::seconds kDeadline{60};

}  // namespace weir
