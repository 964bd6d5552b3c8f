#include "process/log_level.h"

namespace weir {

std::optional<LogLevel> parse_log_level(std::string_view name) {
  for (const LogLevelName& each : kLogLevelNames) {
    if (name == each.name) return each.level;
  }
  return std::nullopt;
}

const char* log_level_name(LogLevel level) {
  for (const LogLevelName& each : kLogLevelNames) {
    if (each.level == level) return each.name;
  }
  return "";
}

}  // namespace weir
