#include "publishers/log/watcher.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "publishers/log/file_watch.h"
#include "tests/unit/publishers/log_folder.h"

namespace weir {
namespace {

constexpr std::chrono::minutes kRarely{10};

std::size_t count_descriptors(const std::string& target) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (std::filesystem::read_symlink(entry.path(), gone) == target) ++count;
  }
  return count;
}

class WatcherTest : public ::testing::Test {
 protected:
  static bool wait_until(Watcher& watcher, const std::function<bool()>& is_true) {
    const auto deadline = Watcher::Clock::now() + std::chrono::seconds(60);
    for (;;) {
      const auto seen = watcher.changes();
      if (is_true()) return true;
      if (!watcher.wait(seen, deadline, {})) return false;
    }
  }

  LogFolder folder_;
};

TEST_F(WatcherTest, NeedsNoMoreInotifyInstancesForMoreFiles) {
  const auto before = count_descriptors("anon_inode:inotify");
  Watcher watcher({.poll = kRarely});
  std::vector<std::unique_ptr<FileWatch>> watches;
  for (int n = 0; n < 300; ++n) {
    const std::string name = std::to_string(n);
    folder_.append("one", name);
    watches.push_back(std::make_unique<FileWatch>(watcher, folder_.path(name)));
  }
  EXPECT_LE(count_descriptors("anon_inode:inotify") - before, 2U);
}

TEST_F(WatcherTest, TellsOnlyTheFileThatChanged) {
  Watcher watcher({.poll = kRarely});
  folder_.append("one", "a");
  folder_.append("one", "b");
  FileWatch a(watcher, folder_.path("a"));
  FileWatch b(watcher, folder_.path("b"));
  const auto before_a = a.changes();
  const auto before_b = b.changes();
  folder_.append("two", "b");
  folder_.rename("b", "b.1");
  folder_.append("three", "b");
  EXPECT_TRUE(wait_until(watcher, [&] { return b.held() == 2; }));
  EXPECT_NE(b.changes(), before_b);
  EXPECT_EQ(a.changes(), before_a);
}

TEST_F(WatcherTest, OpensFilesOfManyDirectoriesAsTheyAppearWithoutAPoll) {
  Watcher watcher({.poll = kRarely});
  std::vector<std::unique_ptr<FileWatch>> watches;
  for (const std::string name : {"x", "y", "z"}) {
    std::filesystem::create_directory(folder_.path(name));
    watches.push_back(std::make_unique<FileWatch>(watcher, folder_.path(name + "/log")));
  }
  for (const std::string name : {"z", "x", "y"}) folder_.append("one", name + "/log");
  for (const auto& watch : watches) {
    EXPECT_TRUE(wait_until(watcher, [&] { return watch->current() != nullptr; }));
  }
}

TEST_F(WatcherTest, KeepsEachChainOfRenamesApart) {
  Watcher watcher({.poll = kRarely});
  FileWatch a(watcher, folder_.path("a"));
  FileWatch b(watcher, folder_.path("b"));
  for (int n = 1; n <= 20; ++n) {
    for (const std::string name : {"a", "b"}) {
      folder_.append(std::string(static_cast<std::size_t>(n), 'x'), name);
      folder_.rename(name, name + "." + std::to_string(n));
    }
  }
  EXPECT_TRUE(wait_until(watcher, [&] { return a.held() == 20 && b.held() == 20; }));
  for (int n = 1; n < 20; ++n) {
    EXPECT_EQ(a.current()->size(), n);
    EXPECT_EQ(b.current()->size(), n);
    a.drop_current();
    b.drop_current();
  }
}

TEST_F(WatcherTest, SeesADirectoryReplacedBehindALink) {
  Watcher watcher({.poll = std::chrono::milliseconds(10)});
  std::filesystem::create_directory(folder_.path("v1"));
  std::filesystem::create_directory(folder_.path("v2"));
  std::filesystem::create_directory_symlink("v1", folder_.path("now"));
  folder_.append("one", "v1/log");
  folder_.append("three", "v2/log");
  FileWatch watch(watcher, folder_.path("now/log"));
  std::filesystem::create_directory_symlink("v2", folder_.path("new"));
  folder_.rename("new", "now");
  EXPECT_TRUE(wait_until(watcher, [&] { return watch.held() == 2; }));
  EXPECT_EQ(watch.last()->size(), 5);
}

TEST_F(WatcherTest, EndsAWaitAtItsTimeOrAtAStop) {
  Watcher watcher({.poll = kRarely});
  EXPECT_FALSE(watcher.wait(watcher.changes(), Watcher::Clock::now(), {}));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(watcher.wait(watcher.changes(), Watcher::Clock::now() + kRarely, stop.get_token()));
}

TEST_F(WatcherTest, TellsOfEachPollEvenWithoutNews) {
  Watcher watcher({.poll = std::chrono::milliseconds(1), .uses_inotify = false});
  const auto deadline = Watcher::Clock::now() + std::chrono::seconds(60);
  EXPECT_TRUE(watcher.wait(watcher.changes(), deadline, {}));
  EXPECT_TRUE(watcher.wait(watcher.changes(), deadline, {}));
}

TEST_F(WatcherTest, LetsGoOfWatchesWhileFilesComeAndGo) {
  Watcher watcher({.poll = std::chrono::milliseconds(1)});
  for (int n = 0; n < 50; ++n) {
    const std::string name = "d" + std::to_string(n % 3);
    std::filesystem::create_directories(folder_.path(name));
    FileWatch watch(watcher, folder_.path(name + "/log"));
    folder_.append("one", name + "/log");
    EXPECT_TRUE(wait_until(watcher, [&] { return watch.current() != nullptr; }));
    std::filesystem::remove_all(folder_.path(name));
    EXPECT_TRUE(wait_until(watcher, [&] { return watch.is_removed(); }));
  }
}

}  // namespace
}  // namespace weir
