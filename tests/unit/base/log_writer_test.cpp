#include "broker/base/log_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <optional>

namespace weir {
namespace {

constexpr std::chrono::seconds kDeadline{20};  // Reached by failing tests alone.
constexpr std::size_t kBytesMax = 1'000;

// A pipe with a reader that reads when it is told to.
class LogWriterTest : public testing::Test {
 protected:
  LogWriterTest() {
    EXPECT_EQ(::pipe2(ends_, O_CLOEXEC), 0);
    writer_.emplace(ends_[1], kBytesMax,
                    [](std::uint64_t lines) { return std::to_string(lines) + " lost\n"; });
  }
  ~LogWriterTest() override {
    ::close(ends_[0]);
    writer_.reset();
    if (ends_[1] >= 0) ::close(ends_[1]);
  }

  // The next `count` bytes.
  std::string read(std::size_t count) {
    std::string bytes(count, '\0');
    std::size_t got = 0;
    while (got < count) {
      const ssize_t n = ::read(ends_[0], bytes.data() + got, count - got);
      if (n <= 0) break;
      got += static_cast<std::size_t>(n);
    }
    return bytes.substr(0, got);
  }
  // Nobody can write any more. Returns how much that took.
  std::size_t fill() {
    ::fcntl(ends_[1], F_SETFL, O_NONBLOCK);
    std::size_t bytes = 0;
    while (::write(ends_[1], "-", 1) == 1) ++bytes;
    return bytes;
  }
  std::string read_line() {
    std::string line;
    do {
      line += read(1);
    } while (!line.empty() && line.back() != '\n');
    return line;
  }

  int ends_[2] = {-1, -1};
  std::optional<LogWriter> writer_;
};

TEST_F(LogWriterTest, WritesInOrder) {
  writer_->write("1\n");
  writer_->write("2\n");
  EXPECT_TRUE(writer_->flush(kDeadline));
  EXPECT_EQ(read(4), "1\n2\n");
  EXPECT_EQ(writer_->lost(), 0U);
}

TEST_F(LogWriterTest, NobodyWaitsForAReaderThatDoesNotReadAndWhatIsLostIsTold) {
  const std::size_t filled = fill();
  ::fcntl(ends_[1], F_SETFL, 0);
  // What is being written and what waits hold less than this.
  constexpr std::size_t kLines = 100;
  for (std::size_t i = 0; i < kLines; ++i) writer_->write(std::string(99, 'x') + "\n");
  EXPECT_FALSE(writer_->flush(std::chrono::milliseconds(1)));
  const std::uint64_t lost = writer_->lost();
  EXPECT_GE(lost, kLines - 2 * kBytesMax / 100);
  read(filled);
  std::uint64_t written = 0;
  std::uint64_t told = 0;
  while (written + told < kLines) {
    const std::string line = read_line();
    if (line.front() == 'x') {
      ++written;
    } else {
      told += std::stoul(line);
    }
  }
  EXPECT_EQ(told, lost);
  EXPECT_TRUE(writer_->flush(kDeadline));
  writer_->write("again\n");
  EXPECT_EQ(read_line(), "again\n");
  EXPECT_EQ(writer_->lost(), lost);
}

TEST_F(LogWriterTest, ALineThatFitsNowhereIsLostAndTheNextOneIsNot) {
  writer_->write(std::string(kBytesMax + 1, 'x'));
  EXPECT_EQ(read_line(), "1 lost\n");
  EXPECT_TRUE(writer_->flush(kDeadline));
  writer_->write("next\n");
  EXPECT_EQ(read_line(), "next\n");
}

TEST_F(LogWriterTest, WaitsForANonBlockingDescriptorToo) {
  const std::size_t filled = fill();
  writer_->write("at last\n");
  EXPECT_FALSE(writer_->flush(std::chrono::milliseconds(1)));
  read(filled);
  EXPECT_EQ(read_line(), "at last\n");
}

TEST_F(LogWriterTest, WritesWhatWaitsBeforeItEnds) {
  writer_->write("last\n");
  writer_.reset();
  EXPECT_EQ(read_line(), "last\n");
}

}  // namespace
}  // namespace weir
