// The program's log, one line each on the standard error stream: text, or a JSON object a line. spdlog writes
// it.
//
// Threads: all functions, any thread; start_logging() once, at start. What is logged before it is text from
// info up.
#pragma once

#include <optional>
#include <string_view>

namespace weir {

enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };

// "debug", "info", "warning", "error" or "off".
std::optional<LogLevel> parse_log_level(std::string_view name);

// `level` and `format` ("text" or "json") are settings that were found good.
void start_logging(std::string_view level, std::string_view format);

// At run time.
void set_log_level(LogLevel level);
// Ask before making a costly message.
bool is_logged(LogLevel level);

// `message` may hold anything: control characters and invalid UTF-8 are escaped or replaced, so that it stays
// one line.
void log_debug(std::string_view message);
void log_info(std::string_view message);
void log_warning(std::string_view message);
void log_error(std::string_view message);

}  // namespace weir
