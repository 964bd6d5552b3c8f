#include "publishers/log/file_position.h"

#include <charconv>
#include <random>

#include "publishers/program/sha256.h"

namespace weir {

std::uint64_t new_life() {
  std::random_device random;
  const std::uint64_t high = random();
  return (high << 32 | random()) | 1;  // Not 0.
}

std::string fingerprint_of(std::string_view head) {
  if (head.empty()) return {};
  head = head.substr(0, kFingerprintBytes);
  Sha256 hash;
  hash.add(head);
  return std::to_string(head.size()) + ":" + hash.finish();
}

std::size_t fingerprint_bytes(const std::string& fingerprint) {
  std::size_t size = 0;
  const char* end = fingerprint.data() + fingerprint.size();
  const auto [colon, error] = std::from_chars(fingerprint.data(), end, size);
  const bool is_whole = error == std::errc() && colon != end && *colon == ':';
  return is_whole && size <= kFingerprintBytes ? size : 0;
}

bool has_fingerprint(std::string_view head, const std::string& fingerprint) {
  const std::size_t size = fingerprint_bytes(fingerprint);
  return size > 0 && head.size() >= size && fingerprint_of(head.substr(0, size)) == fingerprint;
}

}  // namespace weir
