// The program's log, one line each on the standard error stream: text, or a JSON object a line. spdlog makes
// it.
//
// Threads: all functions, any thread; start_logging() and start_log_writer() once, at start. What is logged
//          before them is text from info up, written at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <variant>

#include "process/log_level.h"

namespace weir {

enum class LogFormat {
  kText,
  kJson,  // An object a line.
};

void start_logging(LogLevel level, LogFormat format);

// From now on a thread of its own writes the lines. Whoever logs never waits for the reader of the log: where
// a megabyte of lines waits for it, lines are dropped and counted, and a line says how many.
void start_log_writer();
// Waits until what was logged is written, for `most` at the longest.
void flush_log(std::chrono::milliseconds most);
// How many lines were dropped.
std::uint64_t lost_log_lines();

// At run time.
void set_log_level(LogLevel level);
LogLevel log_level();
// Ask before making a costly message.
bool is_logged(LogLevel level);

// What a line says beside its message: name=value in text, a member of the object in JSON.
struct LogField {
  const char* name;
  std::variant<std::string_view, std::uint64_t, double> value;  // A double with three decimals.
};

// `message` may hold anything: control characters and invalid UTF-8 are escaped or replaced, so that it stays
// one line, and tokens and passwords are hidden, in fields as well (proto/redact.h).
void log_debug(std::string_view message);
void log_info(std::string_view message, std::initializer_list<LogField> fields = {});
void log_warning(std::string_view message);
void log_error(std::string_view message);

}  // namespace weir
