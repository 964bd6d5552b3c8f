// Descriptors 0 to 2: standard input, output and error.
#pragma once

namespace weir {

// Opens /dev/null on each of them that is closed. Call it before anything else is opened: the kernel gives
// out the lowest free number, so otherwise a client's socket could become standard error.
void open_standard_descriptors();

}  // namespace weir
