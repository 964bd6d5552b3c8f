#include "process/standard_descriptors.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weir {
namespace {

bool is_null_device(int descriptor) {
  struct stat opened {};
  struct stat null_device {};
  return ::fstat(descriptor, &opened) == 0 && ::stat("/dev/null", &null_device) == 0 &&
         S_ISCHR(opened.st_mode) && opened.st_rdev == null_device.st_rdev;
}

// In a process of its own: those that are in the bits of `closed` are the null device then, the
// others what they were.
bool opens_just(unsigned closed) {
  const pid_t child = ::fork();
  if (child == 0) {
    int pipe[2] = {};
    if (::pipe(pipe) != 0) ::_exit(1);
    for (int descriptor = 0; descriptor < 3; ++descriptor) ::dup2(pipe[0], descriptor);
    for (int descriptor = 0; descriptor < 3; ++descriptor) {
      if ((closed >> descriptor & 1) != 0) ::close(descriptor);
    }
    open_standard_descriptors();
    bool is_right = true;
    for (int descriptor = 0; descriptor < 3; ++descriptor) {
      is_right = is_right && is_null_device(descriptor) == ((closed >> descriptor & 1) != 0);
    }
    ::_exit(is_right ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(StandardDescriptors, AreOpenedWhereTheyAreClosed) {
  for (unsigned closed = 0; closed < 8; ++closed) EXPECT_TRUE(opens_just(closed)) << closed;
}

}  // namespace
}  // namespace weir
