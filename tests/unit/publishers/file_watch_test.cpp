#include "publishers/log/file_watch.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <vector>

#include "process/stop.h"
#include "tests/unit/publishers/log_folder.h"
#include "tests/unit/publishers/unprivileged.h"

namespace weir {
namespace {

// With news of the kernel, and by looking alone.
class FileWatchTest : public ::testing::TestWithParam<bool> {
 protected:
  // Waits until `is_true()`; false if it never is.
  bool wait_until(const std::function<bool()>& is_true) {
    const auto deadline = Watcher::Clock::now() + std::chrono::seconds(60);
    for (;;) {
      const auto seen = watcher_.changes();
      if (is_true()) return true;
      if (!watcher_.wait(seen, deadline, {})) return false;
    }
  }
  // A new file at the path, which the watch has opened when this returns.
  void rotate(const FileWatch& watch, std::size_t n) {
    folder_.rename("log", "log." + std::to_string(n));
    folder_.append(std::string(n, 'x'));
    ASSERT_TRUE(wait_until([&] { return size_of_last(watch) == n; }));
  }
  // Lets the Watcher poll once.
  void poll() { watcher_.look_at_all(); }
  static std::size_t size_of_last(const FileWatch& watch) {
    const auto last = watch.last();
    return last ? static_cast<std::size_t>(last->size()) : 0;
  }

  LogFolder folder_;
  Watcher watcher_{{.poll = std::chrono::milliseconds(10), .uses_inotify = GetParam()}};
};

INSTANTIATE_TEST_SUITE_P(Inotify, FileWatchTest, ::testing::Values(true));
INSTANTIATE_TEST_SUITE_P(Polling, FileWatchTest, ::testing::Values(false));

TEST_P(FileWatchTest, HoldsABoundedNumberOfFilesAndGivesUpTheOldestThatWasNotBegun) {
  folder_.append("begun");
  FileWatch watch(watcher_, folder_.path());
  for (std::size_t n = 1; n < FileWatch::kFilesMax + 10; ++n) rotate(watch, n);
  EXPECT_EQ(watch.held(), FileWatch::kFilesMax);
  EXPECT_EQ(watch.current()->size(), 5);
  watch.drop_current();
  EXPECT_EQ(watch.current()->size(), 11);
}

TEST_P(FileWatchTest, KnowsAFileThatIsRenamedAwayAndBack) {
  folder_.append("one");
  FileWatch watch(watcher_, folder_.path());
  folder_.rename("log", "log.1");
  folder_.rename("log.1", "log");
  rotate(watch, 1);
  EXPECT_EQ(watch.held(), 2U);
}

TEST_P(FileWatchTest, TellsTheFileThatWasThereAtTheStartFromLaterOnes) {
  folder_.append("one");
  FileWatch watch(watcher_, folder_.path());
  EXPECT_TRUE(watch.current()->was_there_at_start);
  rotate(watch, 1);
  EXPECT_FALSE(watch.next()->was_there_at_start);
}

TEST_P(FileWatchTest, CountsTheChangesOfItsOwnFile) {
  folder_.append("one");
  FileWatch watch(watcher_, folder_.path());
  const auto before = watch.changes();
  folder_.append("two");
  EXPECT_TRUE(wait_until([&] { return watch.changes() != before; }));
}

TEST_P(FileWatchTest, SaysWhatIsThereInsteadOfAFile) {
  std::filesystem::create_directory(folder_.path("directory"));
  ASSERT_EQ(::mkfifo(folder_.path("fifo").c_str(), 0600), 0);
  std::filesystem::create_symlink(folder_.path("loop"), folder_.path("loop"));
  EXPECT_EQ(FileWatch(watcher_, folder_.path("directory")).why_not(), "is a directory");
  EXPECT_EQ(FileWatch(watcher_, folder_.path("fifo")).why_not(), "is a FIFO");
  EXPECT_EQ(FileWatch(watcher_, "/dev/null").why_not(), "is a device");
  EXPECT_EQ(FileWatch(watcher_, folder_.path("loop")).why_not(), "Too many levels of symbolic links");
}

TEST_P(FileWatchTest, HasNoReasonWhileNothingIsThere) {
  folder_.append("one", "plain");
  std::filesystem::create_symlink(folder_.path("nowhere"), folder_.path("link"));
  EXPECT_EQ(FileWatch(watcher_, folder_.path("nothing")).why_not(), "");
  EXPECT_EQ(FileWatch(watcher_, folder_.path("nothing/log")).why_not(), "");
  EXPECT_EQ(FileWatch(watcher_, folder_.path("plain/log")).why_not(), "");
  EXPECT_EQ(FileWatch(watcher_, folder_.path("link")).why_not(), "");
}

TEST_P(FileWatchTest, OpensWhatComesInTheDirectorysPlace) {
  std::filesystem::create_directory(folder_.path());
  FileWatch watch(watcher_, folder_.path());
  folder_.remove();
  folder_.append("one");
  EXPECT_TRUE(wait_until([&] { return watch.current() != nullptr; }));
  EXPECT_EQ(watch.why_not(), "");
}

TEST_P(FileWatchTest, FollowsALinkOnceItLeadsSomewhere) {
  FileWatch watch(watcher_, folder_.path());
  std::filesystem::create_symlink(folder_.path("later"), folder_.path());
  poll();
  folder_.append("one", "later");
  EXPECT_TRUE(wait_until([&] { return size_of_last(watch) == 3; }));
}

TEST_P(FileWatchTest, NeverLetsTheWriterOfAFifoGoOn) {
  ASSERT_EQ(::mkfifo(folder_.path().c_str(), 0600), 0);
  FileWatch watch(watcher_, folder_.path());
  poll();
  // Without a reader a writer that doesn't wait is refused: nobody ever was one.
  EXPECT_EQ(::open(folder_.path().c_str(), O_WRONLY | O_NONBLOCK), -1);
  EXPECT_EQ(watch.why_not(), "is a FIFO");
}

TEST_P(FileWatchTest, KeepsTheFileItHasWhileTheNextOneIsUnreadableAndThenFollows) {
  folder_.append("one");
  folder_.let_others_in();
  std::filesystem::permissions(folder_.path(), std::filesystem::perms::all);
  const Unprivileged unprivileged;
  FileWatch watch(watcher_, folder_.path());
  ASSERT_NE(watch.current(), nullptr);
  unprivileged.pause([&] {
    folder_.append("secret", "new");
    std::filesystem::permissions(folder_.path("new"), std::filesystem::perms::none);
    folder_.rename("log", "log.1");
    folder_.rename("new", "log");
  });
  EXPECT_TRUE(wait_until([&] { return watch.why_not() == "Permission denied"; }));
  EXPECT_EQ(watch.held(), 1U);
  EXPECT_EQ(watch.current()->size(), 3);
  EXPECT_FALSE(watch.is_removed());
  unprivileged.pause([&] { std::filesystem::permissions(folder_.path(), std::filesystem::perms::all); });
  EXPECT_TRUE(wait_until([&] { return size_of_last(watch) == 6; }));
  EXPECT_EQ(watch.held(), 2U);
  EXPECT_EQ(watch.why_not(), "");
}

TEST_P(FileWatchTest, WaitsForADescriptorWhenTooManyFilesAreOpen) {
  folder_.append("one");
  // A few descriptors are left, as they are for the way to Redis: a sanitizer needs some, too.
  std::vector<int> taken;
  while (taken.size() < 40) taken.push_back(::dup(STDERR_FILENO));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit few{.rlim_cur = static_cast<rlim_t>(taken.back()) + 7, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  FileWatch watch(watcher_, folder_.path());
  const auto reason = watch.why_not();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  for (const int descriptor : taken) ::close(descriptor);
  EXPECT_EQ(reason, "too many files are open");
  EXPECT_TRUE(wait_until([&] { return watch.current() != nullptr; }));
}

TEST_P(FileWatchTest, TellsThatItsFileWasRemoved) {
  folder_.append("one");
  FileWatch watch(watcher_, folder_.path());
  EXPECT_FALSE(watch.is_removed());
  folder_.rename("log", "log.1");
  poll();
  EXPECT_FALSE(watch.is_removed());
  folder_.remove("log.1");
  EXPECT_TRUE(wait_until([&] { return watch.is_removed(); }));
  folder_.append("two!");
  EXPECT_TRUE(wait_until([&] { return size_of_last(watch) == 4; }));
  EXPECT_FALSE(watch.is_removed());
}

TEST_P(FileWatchTest, LeavesAFileToTheWatchThatReadsItOrHasReadIt) {
  folder_.append("one");
  folder_.append("zero", "log.1");
  folder_.append("before", "log.2");
  FileWatch watch(watcher_, folder_.path());
  FileWatch older(watcher_, folder_.path("log.1"));
  FileWatch oldest(watcher_, folder_.path("log.2"));
  for (std::size_t n = 10; n < 15; ++n) {
    folder_.rename("log.1", "log.2");
    folder_.rename("log", "log.1");
    folder_.append(std::string(n, 'x'));
    EXPECT_TRUE(wait_until([&] { return size_of_last(watch) == n; }));
    watch.drop_current();  // Nobody has it open from here on.
    poll();
    EXPECT_EQ(older.held(), 1U);
    EXPECT_EQ(older.current()->size(), 4);
    EXPECT_EQ(oldest.held(), 1U);
    EXPECT_EQ(oldest.current()->size(), 6);
  }
}

TEST_P(FileWatchTest, WatchesOneFileUnderTwoPathsWithoutLosingTheOther) {
  folder_.append("one");
  std::filesystem::create_hard_link(folder_.path(), folder_.path("link"));
  FileWatch watch(watcher_, folder_.path());
  { FileWatch other(watcher_, folder_.path("link")); }
  const auto before = watch.changes();
  folder_.append("two");
  EXPECT_TRUE(wait_until([&] { return watch.changes() != before; }));
}

}  // namespace
}  // namespace weir
