#include "publishers/log/file_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <memory>
#include <vector>

#include "publishers/log/file_watch.h"
#include "tests/unit/publishers/log_folder.h"
#include "tests/unit/publishers/unprivileged.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using Names = std::vector<std::string>;

// With news of the kernel, and by looking alone. Each path that is found is watched, as the program does.
class FileSetTest : public ::testing::TestWithParam<bool> {
 protected:
  std::unique_ptr<FileSet> follow(const Names& patterns, std::size_t files_max = 1'000) {
    Names paths;
    for (const auto& pattern : patterns) paths.push_back(folder_.path(pattern));
    return std::make_unique<FileSet>(watcher_, paths, files_max, [this](dev_t device, ino_t inode) {
      for (const auto& [path, watch] : watches_) {
        if (watch->holds({device, inode})) return true;
      }
      return false;
    });
  }
  // The new paths, without the folder, after a time in which the set is sure to look.
  Names look(FileSet& set) {
    now_ += std::chrono::hours(1);
    Names names;
    for (const auto& path : set.look(now_)) {
      names.push_back(std::filesystem::path(path).lexically_relative(folder_.path("")).string());
      watches_[names.back()] = std::make_unique<FileWatch>(watcher_, path);
    }
    return names;
  }
  void let_go(FileSet& set, const std::string& name) {
    watches_.erase(name);
    set.gone(folder_.path(name));
  }
  void make_folder(const std::string& name) { std::filesystem::create_directories(folder_.path(name)); }

  LogFolder folder_;
  Watcher watcher_{{.poll = std::chrono::milliseconds(10), .uses_inotify = GetParam()}};
  std::map<std::string, std::unique_ptr<FileWatch>> watches_;
  FileSet::Clock::time_point now_ = FileSet::Clock::now();
};

INSTANTIATE_TEST_SUITE_P(Inotify, FileSetTest, ::testing::Values(true));
INSTANTIATE_TEST_SUITE_P(Polling, FileSetTest, ::testing::Values(false));

TEST_P(FileSetTest, FindsTheFilesOfAPatternOnce) {
  folder_.append("1", "b.log");
  folder_.append("2", "a.log");
  folder_.append("3", "a.txt");
  auto set = follow({"*.log"});
  EXPECT_THAT(look(*set), ElementsAre("a.log", "b.log"));
  EXPECT_THAT(look(*set), IsEmpty());
  EXPECT_EQ(set->size(), 2U);
}

TEST_P(FileSetTest, GivesAPathOnceEvenIfNothingIsThere) {
  auto set = follow({"missing.log", "missing.log", "nowhere/x.log"});
  EXPECT_THAT(look(*set), ElementsAre("missing.log", "nowhere/x.log"));
  folder_.append("1", "missing.log");
  EXPECT_THAT(look(*set), IsEmpty());
}

TEST_P(FileSetTest, FindsFilesInDirectoriesThatAppearLater) {
  auto set = follow({"pods/*/*/*.log"});
  EXPECT_THAT(look(*set), IsEmpty());
  make_folder("pods");
  EXPECT_THAT(look(*set), IsEmpty());
  make_folder("pods/p1/c");
  folder_.append("1", "pods/p1/c/0.log");
  EXPECT_THAT(look(*set), ElementsAre("pods/p1/c/0.log"));
  make_folder("pods/p2/c");
  folder_.append("1", "pods/p2/c/0.log");
  folder_.append("2", "pods/p1/c/1.log");
  EXPECT_THAT(look(*set), UnorderedElementsAre("pods/p1/c/1.log", "pods/p2/c/0.log"));
}

TEST_P(FileSetTest, TellsFilesThatWereThereAtTheStartFromLaterOnes) {
  folder_.append("1", "a.log");
  auto set = follow({"*.log"});
  look(*set);
  folder_.append("2", "b.log");
  EXPECT_THAT(look(*set), ElementsAre("b.log"));
  EXPECT_TRUE(set->was_there_at_start(folder_.path("a.log")));
  EXPECT_FALSE(set->was_there_at_start(folder_.path("b.log")));
}

TEST_P(FileSetTest, KnowsARotatedFileUnderItsNewName) {
  folder_.append("1", "app.log");
  auto set = follow({"app.log*"});
  EXPECT_THAT(look(*set), ElementsAre("app.log"));
  for (int rotation = 0; rotation < 5; ++rotation) {
    for (int n = rotation; n >= 0; --n) {
      folder_.rename(n == 0 ? "app.log" : "app.log." + std::to_string(n), "app.log." + std::to_string(n + 1));
    }
    folder_.append(std::to_string(rotation), "app.log");
    EXPECT_THAT(look(*set), IsEmpty());
    // The reader is done with the old one.
    watcher_.look_at_all();
    while (watches_["app.log"]->held() > 1) watches_["app.log"]->drop_current();
  }
  EXPECT_THAT(look(*set), IsEmpty());
}

TEST_P(FileSetTest, KnowsAFileThatWasRotatedBeforeItLooked) {
  folder_.append("1", "app.log");
  auto set = follow({"app.log*"});
  look(*set);
  folder_.rename("app.log", "app.log.1");
  folder_.append("22", "app.log");
  watcher_.look_at_all();
  folder_.rename("app.log.1", "app.log.2");
  folder_.rename("app.log", "app.log.1");
  folder_.append("333", "app.log");
  EXPECT_THAT(look(*set), IsEmpty());
}

TEST_P(FileSetTest, FollowsAFileWithTwoNamesOnce) {
  folder_.append("1", "real.log");
  std::filesystem::create_hard_link(folder_.path("real.log"), folder_.path("hard.log"));
  std::filesystem::create_symlink(folder_.path("real.log"), folder_.path("soft.log"));
  auto set = follow({"r*.log", "*.log", "hard.log"});
  EXPECT_THAT(look(*set), ElementsAre("real.log"));
  EXPECT_THAT(look(*set), IsEmpty());
}

TEST_P(FileSetTest, FollowsALinkOnceItLeadsSomewhere) {
  std::filesystem::create_symlink(folder_.path("later"), folder_.path("a.log"));
  auto set = follow({"*.log"});
  EXPECT_THAT(look(*set), IsEmpty());
  folder_.append("1", "later");
  EXPECT_THAT(look(*set), ElementsAre("a.log"));
}

TEST_P(FileSetTest, LeavesOutWhatIsNoFile) {
  make_folder("directory.log");
  ASSERT_EQ(::mkfifo(folder_.path("fifo.log").c_str(), 0600), 0);
  auto set = follow({"*.log"});
  EXPECT_THAT(look(*set), IsEmpty());
}

TEST_P(FileSetTest, TakesNamesAsTheyAre) {
  const Names names = {"with space.log", "new\nline.log", "\xff\xfe.log",
                       "a*b.log",        "[x].log",       "back\\slash.log"};
  for (const auto& name : names) folder_.append(name, name);
  folder_.append("1", ".hidden.log");
  auto all = follow({"*.log"});
  EXPECT_THAT(look(*all), ::testing::UnorderedElementsAreArray(names));
  watches_.clear();
  auto escaped = follow({"\\[x\\].l?g"});
  EXPECT_THAT(look(*escaped), ElementsAre("[x].log"));
  auto itself = follow({"[x].log"});
  EXPECT_THAT(look(*itself), IsEmpty());  // It is known: the set before has it.
  watches_.clear();
  EXPECT_THAT(look(*follow({"[x].log"})), ElementsAre("[x].log"));
}

TEST_P(FileSetTest, FollowsNoMoreThanItMayAndTakesOthersWhenSomeGo) {
  for (const std::string name : {"a", "b", "c", "d"}) folder_.append(name, name + ".log");
  auto set = follow({"*.log"}, 2);
  EXPECT_THAT(look(*set), ElementsAre("a.log", "b.log"));
  EXPECT_THAT(look(*set), IsEmpty());
  folder_.remove("a.log");
  let_go(*set, "a.log");
  EXPECT_THAT(look(*set), ElementsAre("c.log"));
  EXPECT_TRUE(set->was_there_at_start(folder_.path("c.log")));
  EXPECT_THAT(look(*set), IsEmpty());
}

TEST_P(FileSetTest, TakesAFileThatWasRemovedAndMadeAgainAsNew) {
  folder_.append("1", "a.log");
  folder_.append("1", "b.log");
  auto set = follow({"*.log", "b.log"});
  look(*set);
  for (int i = 0; i < 5; ++i) {
    folder_.remove("a.log");
    folder_.remove("b.log");
    EXPECT_THAT(look(*set), IsEmpty());
    let_go(*set, "a.log");
    let_go(*set, "b.log");
    EXPECT_THAT(look(*set), IsEmpty());
    folder_.append("22", "a.log");
    folder_.append("22", "b.log");
    EXPECT_THAT(look(*set), ElementsAre("a.log", "b.log"));
    EXPECT_FALSE(set->was_there_at_start(folder_.path("a.log")));
  }
}

TEST_P(FileSetTest, IsNotFooledByAnInodeThatIsUsedAgain) {
  folder_.append("old", "app.log");
  auto set = follow({"*.log", "*.log.1"});
  look(*set);
  for (int i = 0; i < 10; ++i) {
    folder_.rename("app.log", "app.log.1");
    folder_.append("new", "app.log");
    EXPECT_THAT(look(*set), IsEmpty());
    watcher_.look_at_all();
    while (watches_["app.log"]->held() > 1) watches_["app.log"]->drop_current();
    folder_.remove("app.log.1");
    const std::string name = std::to_string(i) + ".log";
    folder_.append("a longer text", name);
    EXPECT_THAT(look(*set), ElementsAre(name));
  }
}

TEST_P(FileSetTest, GoesOnWhenADirectoryBecomesReadable) {
  make_folder("pods/p");
  folder_.append("1", "pods/p/a.log");
  folder_.let_others_in();
  std::filesystem::permissions(folder_.path("pods"), std::filesystem::perms::all);
  std::filesystem::permissions(folder_.path("pods/p"), std::filesystem::perms::none);
  const Unprivileged unprivileged;
  auto set = follow({"pods/*/*.log"});
  EXPECT_THAT(look(*set), IsEmpty());
  unprivileged.pause(
      [&] { std::filesystem::permissions(folder_.path("pods/p"), std::filesystem::perms::all); });
  EXPECT_THAT(look(*set), ElementsAre("pods/p/a.log"));
}

using FileSetWithInotifyTest = FileSetTest;
INSTANTIATE_TEST_SUITE_P(Inotify, FileSetWithInotifyTest, ::testing::Values(true));

TEST_P(FileSetWithInotifyTest, LooksAtOnceWhenTheKernelHasNews) {
  Watcher watcher({.poll = std::chrono::minutes(10)});
  FileSet set(watcher, {folder_.path("*.log")}, 10, {});
  set.look();
  const auto deadline = Watcher::Clock::now() + std::chrono::seconds(60);
  folder_.append("1", "a.log");
  Names found;
  while (found.empty() && Watcher::Clock::now() < deadline) {
    const auto seen = watcher.changes();
    found = set.look(now_ += std::chrono::milliseconds(100));
    if (found.empty()) watcher.wait(seen, deadline, {});
  }
  EXPECT_THAT(found, ElementsAre(folder_.path("a.log").string()));
}

}  // namespace
}  // namespace weir
