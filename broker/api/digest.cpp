#include "broker/api/digest.h"

#include <openssl/evp.h>

#include <array>
#include <cassert>

namespace weir {
namespace {

std::string digest_of(std::string_view bytes, const EVP_MD* algorithm) {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  [[maybe_unused]] const int is_done = EVP_Digest(
      bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()), &size, algorithm, nullptr);
  assert(is_done == 1 && size > 0);
  digest.resize(size);
  return digest;
}

std::string base64(std::string_view bytes) {
  std::array<unsigned char, 2 * EVP_MAX_MD_SIZE> encoded{};
  assert(bytes.size() <= EVP_MAX_MD_SIZE);
  const int size = EVP_EncodeBlock(encoded.data(), reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  return {reinterpret_cast<const char*>(encoded.data()), static_cast<std::size_t>(size)};
}

}  // namespace

std::string sha256_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const char c : digest_of(bytes, EVP_sha256())) {
    const auto byte = static_cast<unsigned char>(c);
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

std::string sha256_source(std::string_view bytes) {
  return "sha256-" + base64(digest_of(bytes, EVP_sha256()));
}

std::string sha384_source(std::string_view bytes) {
  return "sha384-" + base64(digest_of(bytes, EVP_sha384()));
}

}  // namespace weir
