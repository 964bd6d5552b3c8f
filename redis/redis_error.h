// What Redis says when it refuses a command.
#pragma once

#include <string_view>

namespace weir {

// `error`, the text of an error reply, as it may be logged: without the arguments of a command that Redis
// does not know, which it repeats ("… with args beginning with: 'user' 'password'"). AUTH may have another
// name there.
std::string_view without_arguments(std::string_view error);

}  // namespace weir
