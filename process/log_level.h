// How much a program logs, in the words that the setting log-level, PUT /log-level and the lines
// of all programs use, and in which form.
//
// Threads: any; pure functions.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace weir {

// Ordered: a level logs itself and every later one.
enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };

struct LogLevelName {
  const char* name;
  LogLevel level;
  bool is_alias = false;  // Understood, but never shown.
};

// One table for all programs, since they share the variable WEIR_LOG_LEVEL. The aliases are other programs'
// names for these levels.
inline constexpr std::array<LogLevelName, 7> kLogLevelNames{{
    {"debug", LogLevel::kDebug},
    {"info", LogLevel::kInfo},
    {"warning", LogLevel::kWarning},
    {"error", LogLevel::kError},
    {"off", LogLevel::kOff},
    {"warn", LogLevel::kWarning, true},
    {"trace", LogLevel::kDebug, true},
}};

enum class LogFormat {
  kText,
  kJson,  // An object a line.
};

// nullopt for a word that is not in the table.
std::optional<LogLevel> parse_log_level(std::string_view name);
// "warning" for kWarning.
const char* log_level_name(LogLevel level);

}  // namespace weir
