// The limit on open files.
#pragma once

namespace weir {

// Lets this process open as many files as the system allows it: the soft limit is often 1,024 while the hard
// one allows far more. Call it once, at the start.
void raise_descriptor_limit();

}  // namespace weir
