#include "publishers/log/standard_input.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <stop_token>
#include <string_view>
#include <thread>

#include "publishers/log/container_format.h"

namespace weir {
namespace {

using Lines = std::vector<Line>;

class StandardInputTest : public ::testing::Test {
 protected:
  StandardInputTest() { EXPECT_EQ(::pipe2(pipe_.data(), O_CLOEXEC), 0); }
  ~StandardInputTest() override {
    close_writer();
    ::close(pipe_[0]);
  }
  void write(std::string_view text) const {
    EXPECT_EQ(::write(pipe_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void close_writer() {
    if (pipe_[1] >= 0) ::close(pipe_[1]);
    pipe_[1] = -1;
  }
  Lines read(StandardInput& input) const {
    Lines lines;
    const auto has_come = input.read(lines, stop_.get_token());
    EXPECT_TRUE(has_come && *has_come);
    return lines;
  }

  std::array<int, 2> pipe_{-1, -1};
  std::stop_source stop_;
};

TEST_F(StandardInputTest, ReadsLinesToTheEnd) {
  StandardInput input(pipe_[0], 1'000, {});
  write("one\ntw");
  EXPECT_EQ(read(input), (Lines{{"one"}}));
  write("o\nthree");
  EXPECT_EQ(read(input), (Lines{{"two"}}));
  close_writer();
  EXPECT_FALSE(input.is_at_end());
  EXPECT_EQ(read(input), (Lines{{"three"}}));
  EXPECT_TRUE(input.is_at_end());
}

TEST_F(StandardInputTest, AStopEndsTheWait) {
  StandardInput input(pipe_[0], 1'000, {});
  Lines lines;
  std::jthread stopping([this] { stop_.request_stop(); });
  const auto has_come = input.read(lines, stop_.get_token());
  ASSERT_TRUE(has_come);
  EXPECT_FALSE(*has_come);
  write("there already\n");
  input.read_rest(lines);
  EXPECT_EQ(lines, (Lines{{"there already"}}));
  input.read_rest(lines);  // Waits for nothing.
  EXPECT_EQ(lines.size(), 1U);
}

TEST_F(StandardInputTest, TakesAByteOrderMarkOffHoweverItIsCut) {
  StandardInput input(pipe_[0], 1'000, {});
  write("\xEF\xBB");
  EXPECT_EQ(read(input), Lines{});
  write("\xBFone\n\xEF\xBB\xBFtwo\n");
  EXPECT_EQ(read(input), (Lines{{"one"}, {"\xEF\xBB\xBFtwo"}}));
}

TEST_F(StandardInputTest, RefusesUtf16) {
  StandardInput input(pipe_[0], 1'000, {});
  write(std::string_view("\xFF\xFEo\0\n\0", 6));
  Lines lines;
  const auto has_come = input.read(lines, stop_.get_token());
  ASSERT_FALSE(has_come);
  EXPECT_NE(has_come.error().message.find("UTF-16"), std::string::npos);
  EXPECT_EQ(lines, Lines{});
}

TEST_F(StandardInputTest, SaysWhyItCannotBeRead) {
  const int folder = ::open("/", O_RDONLY | O_CLOEXEC | O_DIRECTORY);
  StandardInput input(folder, 1'000, {});
  Lines lines;
  const auto has_come = input.read(lines, stop_.get_token());
  ASSERT_FALSE(has_come);
  EXPECT_NE(has_come.error().message.find("directory"), std::string::npos);
  ::close(folder);
}

TEST_F(StandardInputTest, UnwrapsTheLinesOfAContainer) {
  StandardInput input(pipe_[0], 1'000,
                      [] { return std::make_unique<ContainerLines>(ContainerFormat::kDocker, 1'000); });
  write("{\"log\":\"one\\n\"}\n{\"log\":\"two\"}\n");
  EXPECT_EQ(read(input), (Lines{{"one"}}));
  close_writer();
  EXPECT_EQ(read(input), (Lines{{"two"}}));
}

}  // namespace
}  // namespace weir
