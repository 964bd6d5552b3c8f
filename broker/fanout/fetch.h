// Brings memory into the cache before it is needed.
#pragma once

#include <cstddef>

namespace weir {

// Asks for the `bytes` bytes at `object`, and waits for nothing. Any pointer is good, also a null one.
inline void fetch(const void* object, std::size_t bytes) {
  constexpr std::size_t kLineBytes = 64;
  const char* const begin = static_cast<const char*>(object);
  for (std::size_t offset = 0; offset < bytes; offset += kLineBytes) __builtin_prefetch(begin + offset);
}

}  // namespace weir
