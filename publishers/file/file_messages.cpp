#include "publishers/file/file_messages.h"

#include <openssl/evp.h>

#include <utility>

#include "proto/envelope.h"

namespace weir {
namespace {

std::string base64(std::string_view bytes) {
  // EVP_EncodeBlock writes a NUL after its last character.
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                      reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

}  // namespace

std::string encode_buffer(std::string_view bytes) {
  std::string text = R"({"msg":{"type":"Buffer","data":[)";
  text.reserve(text.size() + bytes.size() * 4 + 3);
  for (const unsigned char byte : bytes) {
    if (text.back() != '[') text += ',';
    text += std::to_string(byte);
  }
  return text + "]}}";
}

std::string encode_file(std::string name, std::uint64_t size, const std::string& sha256,
                        std::uint64_t parts) {
  replace_invalid_utf8(name);
  return R"({"type":"file","data":{"name":)" + json_string(name) + R"(,"size":)" + std::to_string(size) +
         R"(,"sha256":")" + sha256 + R"(","parts":)" + std::to_string(parts) + "}}";
}

std::string encode_part(std::uint64_t n, std::uint64_t offset, std::string_view bytes) {
  return R"({"type":"part","data":{"n":)" + std::to_string(n) + R"(,"offset":)" + std::to_string(offset) +
         R"(,"base64":")" + base64(bytes) + "\"}}";
}

}  // namespace weir
