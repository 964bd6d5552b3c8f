#include "process/standard_descriptors.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

namespace weir {

void open_standard_descriptors() {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
    if (::fcntl(descriptor, F_GETFD) >= 0) continue;
    // Those below it are open: the lowest number that is free is its own. Where there is no /dev/null nothing
    // can be said, and nothing be promised.
    if (::open("/dev/null", O_RDWR) != descriptor) std::abort();
  }
}

}  // namespace weir
