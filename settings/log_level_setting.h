// The settings log-level and log-format, which all programs have.
#pragma once

#include "process/log_level.h"
#include "settings/settings.h"

namespace weir {

// Takes the words of kLogLevelNames. `level` holds the default and outlives the row.
Setting log_level_setting(LogLevel& level, std::string help);
// text or json. `format` holds the default and outlives the row.
Setting log_format_setting(LogFormat& format);

}  // namespace weir
