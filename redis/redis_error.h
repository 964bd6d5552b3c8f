// What the texts of Redis' error replies mean.
//
// Threads: any; pure functions.
#pragma once

#include <string_view>

namespace weir {

// `error` as it may be logged: without the arguments of a command that Redis does not know, which it repeats
// ("… with args beginning with: 'user' 'password'"). AUTH may have another name there.
std::string_view without_arguments(std::string_view error);

// True if the same command may be accepted later: Redis is loading, read-only, full or busy at the moment.
bool may_pass(std::string_view error);

// True if the ACL does not let this user do it.
bool is_no_permission(std::string_view error);

}  // namespace weir
