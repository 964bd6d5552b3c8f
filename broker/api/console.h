// The console page, embedded into the program at build time. Pure, any thread.
#pragma once

#include <string>
#include <string_view>

namespace weir {

// web/console.html of the build. Lives for ever.
extern const std::string_view kConsoleHtml;

struct ConsolePage {
  std::string_view html;
  // The Content-Security-Policy. Only the page's own inline <script> and <style> run, each by its hash, and
  // the page connects to this gateway alone. style="" and onclick="" attributes do not work under it.
  std::string policy;
};
// Hashes the inline elements of `html`, which must outlive the page.
ConsolePage make_console_page(std::string_view html);

}  // namespace weir
