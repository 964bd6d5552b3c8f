#include "broker/api/console.h"

#include "broker/api/digest.h"

namespace weir {
namespace {

// The hashes of all inline elements <tag ...>...</tag> of `html`, as sources for a CSP.
std::string hashes_of(std::string_view html, const std::string& tag) {
  std::string sources;
  const std::string end_tag = "</" + tag + ">";
  std::size_t at = 0;
  while ((at = html.find("<" + tag, at)) != std::string_view::npos) {
    const std::size_t begin = html.find('>', at);
    const std::size_t end = html.find(end_tag, at);
    if (begin == std::string_view::npos || end == std::string_view::npos) break;
    sources += " '" + sha256_source(html.substr(begin + 1, end - begin - 1)) + "'";
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
