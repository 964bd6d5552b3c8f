// The console page, embedded into the program at build time.
#pragma once

#include <string>
#include <string_view>

namespace weir {

// web/console.html as it was when this was built.
extern const std::string_view kConsoleHtml;

struct ConsolePage {
  std::string_view html;
  // Content-Security-Policy: nothing but the page's own inline <script> and <style> (each by its hash) runs,
  // and it connects to this gateway alone. style="" and onclick="" attributes don't work under it.
  std::string policy;
};
ConsolePage make_console_page(std::string_view html);

}  // namespace weir
