#include "redis/redis_error.h"

namespace weir {

std::string_view without_arguments(std::string_view error) {
  return error.substr(0, error.find(", with args beginning with"));
}

}  // namespace weir
