// The whole content of a file that a setting names: keys, passwords, the settings themselves.
#pragma once

#include <cstddef>
#include <string>

#include "proto/result.h"

namespace weir {

// Reads the regular file at `path`, following links. Never waits: a FIFO, a device, a socket or a directory
// is refused, whether anybody writes to it or not. Refuses a file of more than `bytes_max` bytes.
//
// The error is one line that begins with the path in quotation marks: "keys.pem": can't be read: Permission
// denied. Any thread.
Result<std::string> read_small_file(const std::string& path, std::size_t bytes_max);

}  // namespace weir
