#include "redis/redis_files.h"

#include <utility>

#include "process/small_file.h"
#include "redis/tls.h"

namespace weir {
namespace {

constexpr std::size_t kPasswordBytesMax = 4 << 10;
constexpr const char* kPasswordFile = "redis-password-file";

Error about(const char* setting, const std::string& path, const std::string& what) {
  return Error{std::string(setting) + " = \"" + path + "\": " + what};
}

}  // namespace

Result<std::string> read_setting_file(const char* setting, const std::string& path, std::size_t bytes_max) {
  auto content = read_small_file(path, bytes_max);
  if (!content) return Error{std::string(setting) + " = " + content.error().message};
  return content;
}

std::vector<std::pair<const char*, std::string>> given_files(const RedisFiles& files) {
  std::vector<std::pair<const char*, std::string>> given{{kPasswordFile, files.password},
                                                         {"redis-ca-file", files.ca},
                                                         {"redis-certificate-file", files.certificate},
                                                         {"redis-key-file", files.key}};
  std::erase_if(given, [](const auto& each) { return each.second.empty(); });
  return given;
}

std::optional<Error> check_redis_files(const RedisUrl& url, const RedisFiles& files) {
  if (!files.password.empty() && url.has_password) {
    return about(kPasswordFile, files.password, "the URL has a password as well: leave out one of the two");
  }
  if (files.password.empty() && !url.user.empty() && !url.has_password) {
    return Error{
        "the Redis URL has a user without a password: give it as user:password@ or in redis-password-file "
        "(a password alone is :password@)"};
  }
  for (const auto& [setting, path] : given_files(files)) {
    const bool is_for_tls = setting != kPasswordFile;
    if (is_for_tls && !url.is_tls) return about(setting, path, "is for TLS: the URL must be rediss://");
  }
  if (files.certificate.empty() != files.key.empty()) {
    return files.key.empty() ? about("redis-certificate-file", files.certificate, "needs a redis-key-file")
                             : about("redis-key-file", files.key, "needs a redis-certificate-file");
  }
  if (const auto password = read_redis_password(url, files); !password) return password.error();
  if (!url.is_tls) return std::nullopt;
  const auto context = make_tls_context(files);
  return context ? std::nullopt : std::optional<Error>(context.error());
}

Result<std::string> read_redis_password(const RedisUrl& url, const RedisFiles& files) {
  if (files.password.empty()) return url.password;
  auto password = read_setting_file(kPasswordFile, files.password, kPasswordBytesMax);
  if (!password) return password;
  while (password->ends_with('\n') || password->ends_with('\r')) password->pop_back();
  if (password->empty()) return about(kPasswordFile, files.password, "is empty");
  return password;
}

}  // namespace weir
