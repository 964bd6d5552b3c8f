// Reconnection times, so that not everybody comes back in the same moment. Pure, any thread.
#pragma once

#include <chrono>
#include <cstdint>

namespace weir {

// One client's own reconnection time: `base` lengthened by 16 bits of `jitter` to at most twice its length,
// and folded back at 60 s, to no less than half of that.
std::chrono::milliseconds jittered(std::chrono::milliseconds base, std::uint32_t jitter);
// The reconnection time at a drain: `drain` lengthened by at most its half, or as above if `drain` is 0.
std::chrono::milliseconds jittered_at_drain(std::chrono::milliseconds drain, std::chrono::milliseconds base,
                                            std::uint32_t jitter);

}  // namespace weir
