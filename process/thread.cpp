#include "process/thread.h"

#include <errno.h>

#include <cstdio>
#include <cstdlib>

namespace weir {

void end_for_want_of_thread(const char* name, const std::error_code& error) {
  constexpr int kExitBadSettings = 2;
  std::fprintf(stderr,
               "%s: can't start the thread %s: %s: the limit on processes and threads (--pids-limit, "
               "TasksMax=, ulimit -u) or on memory is too low\n",
               program_invocation_short_name, name, error.message().c_str());
  // Run no destructor: threads that did start still use the objects.
  std::_Exit(kExitBadSettings);
}

}  // namespace weir
