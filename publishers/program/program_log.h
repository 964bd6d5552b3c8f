// The log of a publisher program, on the standard error stream.
#pragma once

#include <string>

#include "process/log_level.h"

namespace weir {

// Makes spdlog's default logger. A line is "program: level: message", or a JSON object with time, level, program
// and msg, named as the gateway names them. Tokens and passwords are hidden, and control characters (in a
// file's name, in an answer) make no second line. Call it once, at the start.
void start_program_log(const std::string& program, LogLevel level, LogFormat format);

}  // namespace weir
