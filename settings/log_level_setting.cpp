#include "settings/log_level_setting.h"

#include <string>
#include <utility>
#include <vector>

namespace weir {

Setting log_level_setting(LogLevel& level, std::string help) {
  std::vector<Choice<LogLevel>> choices;
  choices.reserve(kLogLevelNames.size());
  for (const LogLevelName& each : kLogLevelNames) choices.push_back({each.name, each.level, each.is_alias});
  return Setting::choice("log-level", level, std::move(choices),
                         std::move(help) + " (warn means warning, trace means debug)");
}

Setting log_format_setting(LogFormat& format) {
  return Setting::choice("log-format", format, {{"text", LogFormat::kText}, {"json", LogFormat::kJson}},
                         "Lines of text, or a JSON object a line.");
}

}  // namespace weir
