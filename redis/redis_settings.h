// The settings of RedisFiles, the same for the gateway and the publishers.
#pragma once

#include <vector>

#include "redis/redis_files.h"
#include "settings/settings.h"

namespace weir {

std::vector<Setting> redis_file_settings(RedisFiles& files);

}  // namespace weir
