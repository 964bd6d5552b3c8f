// The gateway's log on the standard error stream: a line of text, or a JSON object, for each
// event. Made with spdlog.
//
// Threads: any. start_logging() and start_log_writer() once, at the start. Lines logged before them are text,
//          from info up, and written at once.
// Limits:  a megabyte of lines waits for the reader (log_writer.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <variant>

#include "process/log_level.h"

namespace weir {

void start_logging(LogLevel level, LogFormat format);

// From now on a thread writes the lines, and logging never waits for the reader of the log. Lines past the
// limit are dropped and counted, and a line says how many.
void start_log_writer();
// Waits until everything logged is written, for `most` at the longest.
void flush_log(std::chrono::milliseconds most);
// How many lines were dropped since the start.
std::uint64_t lost_log_lines();

// The level in force.
void set_log_level(LogLevel level);
LogLevel log_level();
// Ask before making a costly message.
bool is_logged(LogLevel level);

// A value that follows the message: name=value in text, a member of the object in JSON.
struct LogField {
  const char* name;
  std::variant<std::string_view, std::uint64_t, double> value;  // A double with three decimals.
};

// `message` and fields may hold anything. Control characters and invalid UTF-8 are escaped or replaced, so
// that a line stays one line. Tokens and passwords are hidden (proto/redact.h).
void log_debug(std::string_view message);
void log_info(std::string_view message, std::initializer_list<LogField> fields = {});
void log_warning(std::string_view message);
void log_error(std::string_view message);

}  // namespace weir
