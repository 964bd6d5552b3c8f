// The whole content of a file that a setting names: keys, passwords, the settings themselves.
#pragma once

#include <cstddef>
#include <string>

#include "proto/result.h"

namespace weir {

// Reads the regular file at `path`, following links. Refuses a FIFO, a device, a socket, a directory, and a
// file of more than `bytes_max` bytes. Never waits, not even for a FIFO's writer.
//
// The error is one line that begins with the path in quotation marks: "keys.pem": can't be read: Permission
// denied. Any thread.
Result<std::string> read_small_file(const std::string& path, std::size_t bytes_max);

}  // namespace weir
