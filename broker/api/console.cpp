#include "broker/api/console.h"

#include <openssl/evp.h>

#include <array>
#include <cassert>

namespace weir {
namespace {

std::string base64_of_sha256(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  [[maybe_unused]] const int is_done =
      EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
  assert(is_done == 1 && size == 32);
  std::array<unsigned char, 64> encoded{};
  const int encoded_size = EVP_EncodeBlock(encoded.data(), digest.data(), static_cast<int>(size));
  return {reinterpret_cast<const char*>(encoded.data()), static_cast<std::size_t>(encoded_size)};
}

// The hashes of all inline elements <tag ...>...</tag> of `html`, as sources for a CSP.
std::string hashes_of(std::string_view html, const std::string& tag) {
  std::string sources;
  const std::string end_tag = "</" + tag + ">";
  std::size_t at = 0;
  while ((at = html.find("<" + tag, at)) != std::string_view::npos) {
    const std::size_t begin = html.find('>', at);
    const std::size_t end = html.find(end_tag, at);
    if (begin == std::string_view::npos || end == std::string_view::npos) break;
    sources += " 'sha256-" + base64_of_sha256(html.substr(begin + 1, end - begin - 1)) + "'";
    at = end;
  }
  return sources.empty() ? " 'none'" : sources;
}

}  // namespace

ConsolePage make_console_page(std::string_view html) {
  return {
      html,
      "default-src 'none'; script-src" + hashes_of(html, "script") + "; style-src" +
          hashes_of(html, "style") +
          "; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"};
}

}  // namespace weir
