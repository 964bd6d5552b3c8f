// The files that go with a Redis URL: the password and the certificates.
//
// Read them at start, to refuse a wrong one then, and again for each connection, so that a new password or
// certificate needs no restart.
//
// Threads: any; the functions keep no state.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proto/result.h"
#include "redis/redis_url.h"

namespace weir {

// Paths, empty for none. The settings have the same names: redis-password-file and so on.
struct RedisFiles {
  std::string password = {};
  std::string ca = {};  // PEM, the CAs that may sign Redis' certificate; empty: the system's.
  // PEM, our certificate, which Redis may ask for, followed by its intermediate CAs.
  std::string certificate = {};
  std::string key = {};  // PEM, without a passphrase.
};

// The name of the setting and the path of each file that is given.
std::vector<std::pair<const char*, std::string>> given_files(const RedisFiles& files);

// The reason why these can't be used: files that don't fit together, or that can't be read. One
// line that names the setting.
std::optional<Error> check_redis_files(const RedisUrl& url, const RedisFiles& files);

// The password in the URL or in the file, without trailing line ends.
Result<std::string> read_redis_password(const RedisUrl& url, const RedisFiles& files);

// The content of the file of `setting` (process/small_file.h). The error names the setting and the file.
Result<std::string> read_setting_file(const char* setting, const std::string& path, std::size_t bytes_max);

}  // namespace weir
