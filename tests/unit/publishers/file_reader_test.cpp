#include "publishers/log/file_reader.h"

#include <gtest/gtest.h>

#include "tests/unit/publishers/log_folder.h"

namespace weir {
namespace {

using Texts = std::vector<std::string>;

class FileReaderTest : public ::testing::Test {
 protected:
  FileReader open() { return FileReader(OpenFile::open(folder_.path()), 1 << 20); }
  // All lines that are there now.
  static Texts read(FileReader& reader) {
    std::vector<Line> lines;
    while (reader.read(lines)) continue;
    Texts texts;
    for (const auto& line : lines) texts.push_back(line.text);
    return texts;
  }

  LogFolder folder_;
};

TEST_F(FileReaderTest, ReadsOnWhereItWas) {
  folder_.append("one\ntwo\nth");
  auto reader = open();
  EXPECT_EQ(read(reader), (Texts{"one", "two"}));
  EXPECT_EQ(read(reader), Texts{});
  folder_.append("ree\n");
  EXPECT_EQ(read(reader), (Texts{"three"}));
}

TEST_F(FileReaderTest, ReadsMoreThanOneReadHolds) {
  const std::string line(1'000, 'x');
  for (int i = 0; i < 200; ++i) folder_.append(line + "\n");
  auto reader = open();
  EXPECT_EQ(read(reader), Texts(200, line));
}

TEST_F(FileReaderTest, SkipsWhatIsThereButNotTheHalfOfALine) {
  folder_.append("one\ntwo\nth");
  auto reader = open();
  reader.skip_to_end();
  EXPECT_EQ(read(reader), Texts{});
  folder_.append("ree\n");
  EXPECT_EQ(read(reader), (Texts{"three"}));
}

TEST_F(FileReaderTest, SkipsNothingOfAFileWithoutALineYet) {
  folder_.append("on");
  auto reader = open();
  reader.skip_to_end();
  folder_.append("e\n");
  EXPECT_EQ(read(reader), (Texts{"one"}));
}

TEST_F(FileReaderTest, StartsAnewWhenTheFileWasTruncated) {
  folder_.append("one\ntwo\n");
  auto reader = open();
  read(reader);
  folder_.truncate();
  EXPECT_EQ(read(reader), Texts{});
  folder_.append("three\n");
  EXPECT_EQ(read(reader), (Texts{"three"}));
}

TEST_F(FileReaderTest, NoticesATruncationAfterWhichTheFileGrewBeyondItsPosition) {
  folder_.append("one\ntwo\n");
  auto reader = open();
  read(reader);
  folder_.truncate();
  folder_.append("three\nfour\nfive\n");
  EXPECT_EQ(read(reader), (Texts{"three", "four", "five"}));
}

TEST_F(FileReaderTest, NoticesATruncationAfterSkippingToTheEnd) {
  folder_.append("one\ntwo\n");
  auto reader = open();
  reader.skip_to_end();
  folder_.truncate();
  folder_.append("three\nfour\nfive\n");
  EXPECT_EQ(read(reader), (Texts{"three", "four", "five"}));
}

TEST_F(FileReaderTest, GivesTheHalfLineThatATruncationCutOff) {
  folder_.append("one\ntw");
  auto reader = open();
  read(reader);
  folder_.truncate();
  folder_.append("three\n");
  EXPECT_EQ(read(reader), (Texts{"tw", "three"}));
}

TEST_F(FileReaderTest, SkipsTheHoleThatAWriterLeavesThatDoesNotAppend) {
  const int writer = ::open(folder_.path().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const auto write = [&](const std::string& text) {
    EXPECT_EQ(::write(writer, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  };
  write("one\n" + std::string(200'000, 'x') + "\n");
  auto reader = open();
  EXPECT_EQ(read(reader).size(), 2U);
  folder_.truncate();
  write("three\n");
  EXPECT_EQ(read(reader), (Texts{"three"}));
  write("four\n");
  EXPECT_EQ(read(reader), (Texts{"four"}));
  ::close(writer);
}

TEST_F(FileReaderTest, KeepsNulsThatWereWritten) {
  folder_.append(std::string("a\0b\n", 4));
  auto reader = open();
  EXPECT_EQ(read(reader), (Texts{std::string("a\0b", 3)}));
}

}  // namespace
}  // namespace weir
