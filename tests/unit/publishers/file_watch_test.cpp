#include "publishers/log/file_watch.h"

#include <gtest/gtest.h>

#include "process/stop.h"
#include "tests/unit/publishers/log_folder.h"

namespace weir {
namespace {

class FileWatchTest : public ::testing::Test {
 protected:
  // A new file at the path, which the watch has opened when this returns.
  void rotate(FileWatch& watch, std::size_t n) {
    folder_.rename("log", "log." + std::to_string(n));
    folder_.append(std::string(n, 'x'));
    const Grace deadline(std::chrono::seconds(60));
    while (watch_size_of_last(watch) != n && !deadline.token().stop_requested()) {
      watch.wait(watch.changes(), deadline.token());
    }
    ASSERT_FALSE(deadline.token().stop_requested());
  }
  static std::size_t watch_size_of_last(const FileWatch& watch) {
    const auto last = watch.last();
    return last ? static_cast<std::size_t>(last->size()) : 0;
  }

  LogFolder folder_;
};

TEST_F(FileWatchTest, HoldsABoundedNumberOfFilesAndGivesUpTheOldestThatWasNotBegun) {
  folder_.append("begun");
  FileWatch watch(folder_.path(), {});
  for (std::size_t n = 1; n < FileWatch::kFilesMax + 10; ++n) rotate(watch, n);
  EXPECT_EQ(watch.held(), FileWatch::kFilesMax);
  EXPECT_EQ(watch.current()->size(), 5);
  watch.drop_current();
  EXPECT_EQ(watch.current()->size(), 11);
}

TEST_F(FileWatchTest, KnowsAFileThatIsRenamedAwayAndBack) {
  folder_.append("one");
  FileWatch watch(folder_.path(), {});
  folder_.rename("log", "log.1");
  folder_.rename("log.1", "log");
  rotate(watch, 1);
  EXPECT_EQ(watch.held(), 2U);
}

}  // namespace
}  // namespace weir
