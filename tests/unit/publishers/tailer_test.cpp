#include "publishers/log/tailer.h"

#include <gtest/gtest.h>

#include "process/stop.h"
#include "tests/unit/publishers/log_folder.h"

namespace weir {
namespace {

using Texts = std::vector<std::string>;
constexpr std::chrono::seconds kDeadline{60};

// With news of the kernel, and by looking alone.
class TailerTest : public ::testing::TestWithParam<bool> {
 protected:
  Tailer follow(bool from_start = false) {
    return Tailer(watcher_, folder_.path(),
                  {.from_start = from_start, .settle = std::chrono::milliseconds(20)});
  }
  // The next `count` lines; fewer if they don't come.
  Texts lines(Tailer& tailer, std::size_t count) {
    const Grace deadline(kDeadline);
    Texts texts;
    while (texts.size() < count && !deadline.token().stop_requested()) {
      const auto seen = watcher_.changes();
      const auto read = tailer.read(Tailer::Clock::now());
      for (const auto& line : read) texts.push_back(line.text);
      if (read.empty()) watcher_.wait(seen, Tailer::Clock::now() + kDeadline, deadline.token());
    }
    return texts;
  }
  // Waits until the files that have come are open, so that a file isn't renamed before anybody could see it.
  void settle(Tailer& tailer) {
    folder_.append("mark\n");
    EXPECT_EQ(lines(tailer, 1), Texts{"mark"});
  }

  LogFolder folder_;
  Watcher watcher_{{.poll = std::chrono::milliseconds(10), .uses_inotify = GetParam()}};
};

INSTANTIATE_TEST_SUITE_P(Inotify, TailerTest, ::testing::Values(true));
INSTANTIATE_TEST_SUITE_P(Polling, TailerTest, ::testing::Values(false));

TEST_P(TailerTest, BeginsAtTheEnd) {
  folder_.append("old\n");
  auto tailer = follow();
  folder_.append("new\n");
  EXPECT_EQ(lines(tailer, 1), Texts{"new"});
}

TEST_P(TailerTest, BeginsAtTheStartIfAskedTo) {
  folder_.append("old\n");
  auto tailer = follow(true);
  folder_.append("new\n");
  EXPECT_EQ(lines(tailer, 2), (Texts{"old", "new"}));
}

TEST_P(TailerTest, ReadsAFileThatAppearsLaterFromItsStart) {
  auto tailer = follow();
  EXPECT_FALSE(tailer.has_file());
  folder_.append("one\n");
  folder_.append("two\n");
  EXPECT_EQ(lines(tailer, 2), (Texts{"one", "two"}));
}

TEST_P(TailerTest, WaitsForADirectoryThatIsMissing) {
  Tailer tailer(watcher_, folder_.path("later/log"), {});
  std::filesystem::create_directory(folder_.path("later"));
  folder_.append("one\n", "later/log");
  EXPECT_EQ(lines(tailer, 1), Texts{"one"});
}

TEST_P(TailerTest, FollowsADirectoryThatIsReplaced) {
  std::filesystem::create_directory(folder_.path("logs"));
  folder_.append("zero\n", "logs/log");
  Tailer tailer(watcher_, folder_.path("logs/log"), {});
  folder_.append("one\n", "logs/log");
  folder_.rename("logs", "logs.old");
  std::filesystem::create_directory(folder_.path("logs"));
  folder_.append("two\n", "logs/log");
  EXPECT_EQ(lines(tailer, 2), (Texts{"one", "two"}));
  folder_.rename("logs/log", "logs/log.1");
  folder_.append("three\n", "logs/log");
  EXPECT_EQ(lines(tailer, 1), Texts{"three"});
}

TEST_P(TailerTest, ReadsARenamedFileToItsEndBeforeTheNewOne) {
  folder_.append("zero\n");
  auto tailer = follow();
  folder_.append("one\n");
  folder_.rename("log", "log.1");
  folder_.append("two\nthree", "log.1");
  folder_.append("four\n");
  EXPECT_EQ(lines(tailer, 4), (Texts{"one", "two", "three", "four"}));
}

TEST_P(TailerTest, ReadsARemovedFileToItsEnd) {
  folder_.append("zero\n");
  auto tailer = follow();
  folder_.append("one\n");
  folder_.remove();
  folder_.append("two\n");
  EXPECT_EQ(lines(tailer, 2), (Texts{"one", "two"}));
}

TEST_P(TailerTest, FollowsAWriterThatGoesOnInTheOldFile) {
  auto tailer = follow();
  settle(tailer);
  folder_.rename("log", "log.1");
  folder_.append("", "log");  // As log rotation does, before it tells the writer.
  folder_.append("one\n", "log.1");
  EXPECT_EQ(lines(tailer, 1), Texts{"one"});
  folder_.append("two\n", "log.1");
  EXPECT_EQ(lines(tailer, 1), Texts{"two"});
  folder_.append("three\n");
  EXPECT_EQ(lines(tailer, 1), Texts{"three"});
  // Another process that had it open writes its last line.
  folder_.append("four\n", "log.1");
  EXPECT_EQ(lines(tailer, 1), Texts{"four"});
}

TEST_P(TailerTest, GivesTheLastLineOfARotatedFileWhileTheNewOneIsEmpty) {
  auto tailer = follow();
  settle(tailer);
  folder_.append("one");
  folder_.rename("log", "log.1");
  folder_.append("", "log");
  EXPECT_EQ(lines(tailer, 1), Texts{"one"});
}

TEST_P(TailerTest, GoesOnAfterATruncation) {
  auto tailer = follow();
  settle(tailer);
  folder_.truncate();
  folder_.append("one\n");
  EXPECT_EQ(lines(tailer, 1), Texts{"one"});
}

TEST_P(TailerTest, IsNotFooledByAnInodeThatIsUsedAgain) {
  auto tailer = follow();
  for (int i = 0; i < 20; ++i) {
    const std::string text = "line " + std::to_string(i);
    folder_.append(text + "\n");
    EXPECT_EQ(lines(tailer, 1), Texts{text});
    folder_.remove();
  }
}

TEST_P(TailerTest, IgnoresWhatIsNoFile) {
  std::filesystem::create_directory(folder_.path());
  auto tailer = follow();
  EXPECT_FALSE(tailer.has_file());
  folder_.remove();
  folder_.append("one\n");
  EXPECT_EQ(lines(tailer, 1), Texts{"one"});
}

TEST_P(TailerTest, FollowsASymbolicLinkIntoAnotherDirectory) {
  std::filesystem::create_directory(folder_.path("real"));
  folder_.append("zero\n", "real/log");
  std::filesystem::create_symlink(folder_.path("real/log"), folder_.path());
  auto tailer = follow();
  folder_.append("one\n", "real/log");
  folder_.rename("real/log", "real/log.1");
  folder_.append("two\n", "real/log");
  EXPECT_EQ(lines(tailer, 2), (Texts{"one", "two"}));
}

using TailerWithInotifyTest = TailerTest;
INSTANTIATE_TEST_SUITE_P(Inotify, TailerWithInotifyTest, ::testing::Values(true));

// Looking at times can't see a file that was there in between; the kernel's news can.
TEST_P(TailerWithInotifyTest, LosesNothingOverManyRotationsInARow) {
  folder_.append("start\n");
  auto tailer = follow();
  Texts written;
  for (int rotation = 0; rotation < 40; ++rotation) {
    for (int i = 0; i < 5; ++i) {
      written.push_back(std::to_string(rotation) + "." + std::to_string(i));
      folder_.append(written.back() + "\n");
    }
    // As log rotation does: the oldest number first.
    for (int n = rotation; n >= 0; --n) {
      folder_.rename(n == 0 ? "log" : "log." + std::to_string(n), "log." + std::to_string(n + 1));
    }
  }
  folder_.append("end\n");
  written.push_back("end");
  EXPECT_EQ(lines(tailer, written.size()), written);
}

}  // namespace
}  // namespace weir
