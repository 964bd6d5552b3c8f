// The files that go with a Redis URL: what should not stand in a URL, or can't.
//
// They are read when the program starts, so that a wrong one is refused then, and again for each connection:
// whoever changes a password or a certificate restarts nothing.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proto/result.h"
#include "redis/redis_url.h"

namespace weir {

// Paths; empty where there is none. Named after the settings: redis-password-file and so on.
struct RedisFiles {
  std::string password = {};
  std::string ca = {};           // PEM, the CAs that may sign Redis' certificate; empty: those of the system.
  std::string certificate = {};  // PEM, ours, which Redis may ask for, with the CAs in between behind it.
  std::string key = {};          // PEM, without a passphrase.
};

// Those that are given: the setting's name and the path.
std::vector<std::pair<const char*, std::string>> given_files(const RedisFiles& files);

// What does not fit together or can't be used, in one line that names the setting.
std::optional<Error> check_redis_files(const RedisUrl& url, const RedisFiles& files);

// The password of the URL, or else of the file, without the ends of line behind it.
Result<std::string> read_redis_password(const RedisUrl& url, const RedisFiles& files);

// The content of the file of `setting` (process/small_file.h). The error names the setting and the file.
Result<std::string> read_setting_file(const char* setting, const std::string& path, std::size_t bytes_max);

}  // namespace weir
