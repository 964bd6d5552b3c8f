// The Tailer over files that come back, restarts, and rotations that nobody looked at.
#include <gtest/gtest.h>

#include "process/stop.h"
#include "publishers/log/tailer.h"
#include "tests/unit/publishers/log_folder.h"

namespace weir {
namespace {

using Texts = std::vector<std::string>;
constexpr std::chrono::seconds kDeadline{60};

class TailerResumeTest : public ::testing::Test {
 protected:
  using Clock = Tailer::Clock;

  Tailer follow(std::vector<FilePosition> positions = {}) {
    return Tailer(
        watcher_, folder_.path(),
        {.from_start = true, .settle = std::chrono::milliseconds(20), .resume = std::move(positions)});
  }
  static void add(const std::vector<Line>& lines, Texts& texts) {
    for (const auto& line : lines) texts.push_back(line.text);
  }
  // The next `count` lines; fewer if they don't come.
  Texts lines(Tailer& tailer, std::size_t count, Clock::duration later = {}) {
    const Grace deadline(kDeadline);
    Texts texts;
    while (texts.size() < count && !deadline.token().stop_requested()) {
      const auto seen = watcher_.changes();
      const auto read = tailer.read(Clock::now() + later);
      add(read, texts);
      if (read.empty()) watcher_.wait(seen, Clock::now() + kDeadline, deadline.token());
    }
    return texts;
  }
  // All lines that are there now.
  static Texts rest(Tailer& tailer) {
    Texts texts;
    for (;;) {
      const auto read = tailer.read(Clock::now());
      if (read.empty()) return texts;
      add(read, texts);
    }
  }
  void copytruncate(const std::string& to) {
    std::filesystem::copy_file(folder_.path(), folder_.path(to));
    set_age(to);
    folder_.truncate();
  }
  // Each file is a second newer than the one before.
  void set_age(const std::string& name) {
    const auto now = std::filesystem::file_time_type::clock::now();
    std::filesystem::last_write_time(folder_.path(name), now - std::chrono::seconds(1'000 - ++files_));
  }

  LogFolder folder_;
  Watcher watcher_{{.poll = std::chrono::milliseconds(10)}};
  int files_ = 0;
};

TEST_F(TailerResumeTest, GoesOnWithAFileThatIsMovedAwayAndBack) {
  for (const auto later : {std::chrono::seconds(0), std::chrono::seconds(60)}) {
    folder_.append("x1\n");
    auto tailer = follow();
    EXPECT_EQ(lines(tailer, 1), Texts{"x1"});
    folder_.rename("log", "moved");
    folder_.append("y1\n");
    EXPECT_EQ(lines(tailer, 1), Texts{"y1"});
    EXPECT_TRUE(tailer.read(Clock::now() + later).empty());
    folder_.rename("moved", "log");
    folder_.append("x2\n");
    EXPECT_EQ(lines(tailer, 1, later), Texts{"x2"});
    folder_.append("x3\n");
    EXPECT_EQ(lines(tailer, 1, later), Texts{"x3"});
    folder_.remove();
  }
}

TEST_F(TailerResumeTest, GoesOnWithAFileThatALinkLeadsToAgain) {
  const auto link_to = [&](const std::string& name) {
    std::filesystem::create_symlink(folder_.path(name), folder_.path("new"));
    folder_.rename("new", "log");
  };
  folder_.append("a1\n", "a");
  folder_.append("b1\n", "b");
  link_to("a");
  auto tailer = follow();
  EXPECT_EQ(lines(tailer, 1), Texts{"a1"});
  link_to("b");
  EXPECT_EQ(lines(tailer, 1), Texts{"b1"});
  folder_.append("a2\n", "a");
  link_to("a");
  EXPECT_EQ(lines(tailer, 1), Texts{"a2"});
}

TEST_F(TailerResumeTest, GoesOnWhereTheLastRunStopped) {
  folder_.append("one\ntwo\nth");
  auto first = follow();
  EXPECT_EQ(lines(first, 2), (Texts{"one", "two"}));
  folder_.append("ree\n");
  auto second = follow(first.positions());
  EXPECT_EQ(lines(second, 1), Texts{"three"});
  EXPECT_EQ(second.behind(), 0U);
}

TEST_F(TailerResumeTest, BeginsAnotherFileAtItsStart) {
  folder_.append("one\n");
  auto first = follow();
  lines(first, 1);
  const auto positions = first.positions();
  folder_.rename("log", "elsewhere");
  folder_.append("two\n");
  Tailer second(watcher_, folder_.path(), {.from_start = false, .resume = positions});
  EXPECT_EQ(lines(second, 1), Texts{"two"});
}

TEST_F(TailerResumeTest, ReadsAllThatWasRotatedBetweenTwoRuns) {
  folder_.append("one\ntwo\n");
  auto first = follow();
  EXPECT_EQ(lines(first, 2), (Texts{"one", "two"}));
  const auto positions = first.positions();
  folder_.append("three\n");
  set_age("log");
  folder_.rename("log", "log.2");
  folder_.append("four\n");
  set_age("log");
  folder_.rename("log", "log.1");
  folder_.append("five\n");
  auto second = follow(positions);
  EXPECT_EQ(rest(second), (Texts{"three", "four", "five"}));
  auto third = follow(second.positions());
  EXPECT_EQ(rest(third), Texts{});
}

TEST_F(TailerResumeTest, ReadsTheCopiesOfTruncationsBetweenTwoRuns) {
  folder_.append("one\n");
  auto first = follow();
  EXPECT_EQ(lines(first, 1), Texts{"one"});
  const auto positions = first.positions();
  folder_.append("two\n");
  copytruncate("log.2");
  folder_.append("three, which is longer\n");
  copytruncate("log.1");
  folder_.append("four\n");
  auto second = follow(positions);
  EXPECT_EQ(rest(second), (Texts{"two", "three, which is longer", "four"}));
}

// The log itself was not begun yet, so nothing tells that it was truncated.
TEST_F(TailerResumeTest, ReadsTheCopyOfALogThatWasWaitingToBeRead) {
  folder_.append("one\n");
  auto first = follow();
  EXPECT_EQ(lines(first, 1), Texts{"one"});
  folder_.append("two\n");
  copytruncate("log.2");
  folder_.append("three\n");
  EXPECT_EQ(lines(first, 1), Texts{"two"});
  const auto positions = first.positions();
  copytruncate("log.1");
  folder_.append("four\n");
  auto second = follow(positions);
  EXPECT_EQ(rest(second), (Texts{"three", "four"}));
}

TEST_F(TailerResumeTest, ReadsTheCopyOfATruncationThatCameTooEarly) {
  folder_.append("one\ntw");
  auto tailer = follow();
  EXPECT_EQ(lines(tailer, 1), Texts{"one"});
  // Nobody reads meanwhile: Redis is away.
  folder_.append("o\nthree\n");
  copytruncate("log.2");
  folder_.append("four\nfive\nsix\nseven\n");
  copytruncate("log.1");
  folder_.append("eight\n");
  EXPECT_EQ(lines(tailer, 7), (Texts{"two", "three", "four", "five", "six", "seven", "eight"}));
  EXPECT_EQ(rest(tailer), Texts{});
}

TEST_F(TailerResumeTest, TakesNoOtherFileForACopy) {
  folder_.append("something else\n", "log.1");
  folder_.append("one\n");
  auto tailer = follow();
  EXPECT_EQ(lines(tailer, 1), Texts{"one"});
  folder_.truncate();
  folder_.append("2\n");
  EXPECT_EQ(lines(tailer, 1), Texts{"2"});
  EXPECT_EQ(rest(tailer), Texts{});
}

TEST_F(TailerResumeTest, ReadsNoCopyTwiceThatLeavesTheLogAsItIs) {
  folder_.append("one\ntwo\n");
  auto first = follow();
  EXPECT_EQ(lines(first, 2), (Texts{"one", "two"}));
  std::filesystem::copy_file(folder_.path(), folder_.path("log.1"));
  folder_.append("three\n");
  EXPECT_EQ(lines(first, 1), Texts{"three"});
  auto second = follow(first.positions());
  EXPECT_EQ(rest(second), Texts{});
}

TEST_F(TailerResumeTest, FindsTheCopyThatRenamecopyLeaves) {
  folder_.append("one\n");
  auto first = follow();
  EXPECT_EQ(lines(first, 1), Texts{"one"});
  folder_.append("two\n");
  folder_.rename("log", "log.tmp");
  folder_.append("three\n");
  std::filesystem::copy_file(folder_.path("log.tmp"), folder_.path("log.1"));
  set_age("log.1");
  folder_.remove("log.tmp");
  auto second = follow(first.positions());
  EXPECT_EQ(rest(second), (Texts{"two", "three"}));
}

// A state at any boundary of a window, with a rotation after it.
TEST_F(TailerResumeTest, LosesNothingWhereverItIsKilled) {
  Texts all;
  std::string text;
  for (int i = 0; i < 5'000; ++i) {
    all.push_back("line " + std::to_string(i));
    text += all.back() + "\n";
  }
  for (int windows = 0; windows < 6; ++windows) {
    folder_.append(text);
    auto first = follow();
    Texts published;
    for (int i = 0; i < windows; ++i) add(first.read(Clock::now()), published);
    const auto positions = first.positions();
    set_age("log");
    folder_.rename("log", "log.1");
    folder_.append("end\n");
    auto second = follow(positions);
    for (const auto& line : rest(second)) published.push_back(line);
    ASSERT_EQ(published.size(), all.size() + 1);
    EXPECT_EQ(published.back(), "end");
    published.pop_back();
    EXPECT_EQ(published, all);
    folder_.remove("log");
    folder_.remove("log.1");
  }
}

TEST_F(TailerResumeTest, SaysThatTheFileIsGoneAfterTheLinger) {
  folder_.append("one\n");
  auto tailer = follow();
  EXPECT_EQ(lines(tailer, 1), Texts{"one"});
  folder_.remove();
  const auto now = Clock::now();
  EXPECT_TRUE(tailer.read(now).empty());
  EXPECT_FALSE(tailer.is_gone());
  EXPECT_TRUE(tailer.read(now + std::chrono::minutes(1)).empty());
  EXPECT_TRUE(tailer.is_gone());
}

TEST_F(TailerResumeTest, SaysWhyItCannotReadAndCountsIt) {
  std::filesystem::create_symlink("/proc/self/mem", folder_.path());
  auto tailer = follow();
  EXPECT_TRUE(tailer.read(Clock::now()).empty());
  EXPECT_EQ(tailer.why_not(), "Input/output error");
  EXPECT_EQ(tailer.read_errors(), 1U);
  // What comes to the path is not kept waiting for ever.
  folder_.remove();
  folder_.append("one\n");
  EXPECT_EQ(lines(tailer, 1, std::chrono::minutes(2)), Texts{"one"});
  EXPECT_EQ(tailer.why_not(), "");
}

TEST_F(TailerResumeTest, FindsTheCopyOfAFileThatWasTruncatedBeforeItWasBegun) {
  folder_.append("one\n");
  auto tailer = follow();
  EXPECT_EQ(lines(tailer, 1), Texts{"one"});
  folder_.rename("log", "log.2");
  folder_.append("two\n");
  watcher_.look_at_all();
  std::filesystem::copy_file(folder_.path(), folder_.path("log.1"));
  folder_.truncate();
  folder_.append("three\n");
  EXPECT_EQ(lines(tailer, 2), (Texts{"two", "three"}));
}

TEST_F(TailerResumeTest, ReadsNoCopyOfAFileThatIsFollowed) {
  folder_.append("one\n");
  auto tailer = follow();
  EXPECT_EQ(lines(tailer, 1), Texts{"one"});
  std::filesystem::copy_file(folder_.path(), folder_.path("log.3"));
  folder_.rename("log", "log.2");
  folder_.append("two\n");
  std::filesystem::copy_file(folder_.path(), folder_.path("log.1"));
  folder_.append("three\n");
  EXPECT_EQ(lines(tailer, 2), (Texts{"two", "three"}));
  EXPECT_EQ(rest(tailer), Texts{});
}

TEST_F(TailerResumeTest, FindsTheCopyOfAFileOfWhichNothingWasPublished) {
  folder_.append("one\n");
  auto positions = follow().positions();
  ASSERT_EQ(positions.size(), 1U);
  EXPECT_EQ(positions[0].offset, 0U);
  copytruncate("log.1");
  folder_.append("two\n");
  auto tailer = follow(positions);
  EXPECT_EQ(lines(tailer, 2), (Texts{"one", "two"}));
}

}  // namespace
}  // namespace weir
