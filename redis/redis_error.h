// Reads the texts of Redis' error replies.
//
// Threads: any; pure functions.
#pragma once

#include <string_view>

namespace weir {

// `error` as it may be logged. Redis repeats the arguments of a command it does not know ("… with args
// beginning with: 'user' 'password'"), and AUTH may have another name there: this leaves them out.
std::string_view without_arguments(std::string_view error);

// True if the same command may be accepted later: Redis is loading, read-only, full or busy at the moment.
bool may_pass(std::string_view error);

// True if a word of the command is longer than Redis' proto-max-bulk-len. Redis reads nothing behind its length,
// and closes the connection.
bool is_too_large(std::string_view error);

// True if the ACL forbids the command to this user.
bool is_no_permission(std::string_view error);

}  // namespace weir
