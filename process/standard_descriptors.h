// Descriptors 0 to 2: standard input, output and error.
#pragma once

namespace weir {

// Opens /dev/null on each of them that is closed. To be called before anything else is opened: the kernel
// gives out the lowest free number, and what is written to standard error would go to a client's socket
// otherwise.
void open_standard_descriptors();

}  // namespace weir
