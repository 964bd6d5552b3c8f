#include "broker/base/retry_time.h"

namespace weir {

std::chrono::milliseconds jittered(std::chrono::milliseconds base, std::uint32_t jitter) {
  constexpr std::int64_t kMax = 60'000;
  const std::int64_t value =
      base.count() + base.count() * static_cast<std::int64_t>(jitter & 0xffff) / 0xffff;
  return std::chrono::milliseconds(value > kMax ? kMax - (value - kMax) / 2 : value);
}

std::chrono::milliseconds jittered_at_drain(std::chrono::milliseconds drain, std::chrono::milliseconds base,
                                            std::uint32_t jitter) {
  if (drain.count() == 0) return jittered(base, jitter);
  return drain + (jittered(drain, jitter) - drain) / 2;
}

}  // namespace weir
