#include "process/thread.h"

#include <gtest/gtest.h>

#include <string>

namespace weir {
namespace {

TEST(Thread, RunsUnderItsName) {
  std::string name(16, '\0');
  const auto read_name = [&name] {
    // The name is given from outside, a moment after the start.
    do {
      ::pthread_getname_np(::pthread_self(), name.data(), name.size());
      std::this_thread::yield();
    } while (name.substr(0, 9) != "weir-test");
  };
  start_thread("weir-test", read_name).join();
  EXPECT_STREQ(name.c_str(), "weir-test");
}

TEST(ThreadDeathTest, ThatCanNotBeStartedIsALineAndExitCodeTwo) {
  const auto fail = [] {
    start_or_end("weir-test", [] {
      throw std::system_error(EAGAIN, std::generic_category());
      return 0;
    });
  };
  EXPECT_EXIT(fail(), ::testing::ExitedWithCode(2),
              "^[a-z_]+: can't start the thread weir-test: [^\n]*--pids-limit[^\n]*\n$");
}

}  // namespace
}  // namespace weir
