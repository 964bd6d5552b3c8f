#include "redis/redis_error.h"

#include <algorithm>
#include <array>

namespace weir {

std::string_view without_arguments(std::string_view error) {
  return error.substr(0, error.find(", with args beginning with"));
}

bool may_pass(std::string_view error) {
  constexpr std::array<std::string_view, 9> kPassing = {
      "LOADING", "MASTERDOWN", "READONLY", "OOM", "BUSY", "CLUSTERDOWN", "TRYAGAIN", "MISCONF", "NOREPLICAS"};
  if (error.starts_with("ERR max number of clients")) return true;
  const std::string_view code = error.substr(0, error.find(' '));
  return std::find(kPassing.begin(), kPassing.end(), code) != kPassing.end();
}

bool is_too_large(std::string_view error) {
  return error.starts_with("ERR Protocol error: invalid bulk length");
}

bool is_no_permission(std::string_view error) {
  // From within a function, in Redis 7.0 and since 7.2.
  return error.starts_with("NOPERM") || error.starts_with("ERR The user executing the script") ||
         error.starts_with("ERR ACL failure in script");
}

}  // namespace weir
