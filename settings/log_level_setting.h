// The setting log-level, which all programs have.
#pragma once

#include "process/log_level.h"
#include "settings/settings.h"

namespace weir {

// Takes the words of kLogLevelNames. `level` holds the default and outlives the row.
Setting log_level_setting(LogLevel& level, std::string help);

}  // namespace weir
