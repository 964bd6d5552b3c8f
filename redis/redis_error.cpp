#include "redis/redis_error.h"

#include <algorithm>
#include <array>

namespace weir {

std::string_view without_arguments(std::string_view error) {
  return error.substr(0, error.find(", with args beginning with"));
}

bool may_pass(std::string_view error) {
  constexpr std::array<std::string_view, 9> kPassing = {
      "LOADING",  "MASTERDOWN", "READONLY",
      "OOM",      "BUSY",       "CLUSTERDOWN",
      "TRYAGAIN", "MISCONF",    "ERR max number of clients"};
  return std::any_of(kPassing.begin(), kPassing.end(),
                     [error](std::string_view prefix) { return error.starts_with(prefix); });
}

bool is_no_permission(std::string_view error) { return error.starts_with("NOPERM"); }

}  // namespace weir
