#include "process/standard_descriptors.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

namespace weir {

void open_standard_descriptors() {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
    if (::fcntl(descriptor, F_GETFD) >= 0) continue;
    // The lower ones are open, and the kernel gives out the lowest free number, so open() returns this one.
    // Without /dev/null no error can be reported and no promise kept.
    if (::open("/dev/null", O_RDWR) != descriptor) std::abort();
  }
}

}  // namespace weir
