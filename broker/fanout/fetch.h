// Brings memory into the cache before it is needed.
#pragma once

#include <cstddef>

namespace weir {

// Prefetches `bytes` bytes at `object`, without waiting. Any pointer is allowed, even null.
inline void fetch(const void* object, std::size_t bytes) {
  constexpr std::size_t kLineBytes = 64;
  const char* const begin = static_cast<const char*>(object);
  for (std::size_t offset = 0; offset < bytes; offset += kLineBytes) __builtin_prefetch(begin + offset);
}

}  // namespace weir
