#include "publishers/log/file_reader.h"

#include <gtest/gtest.h>

#include "tests/unit/publishers/log_folder.h"

namespace weir {
namespace {

using Outcome = FileReader::Outcome;
using Texts = std::vector<std::string>;

class FileReaderTest : public ::testing::Test {
 protected:
  FileReader open() { return FileReader(OpenFile::open(folder_.path()), 1 << 20); }
  // All lines that are there now.
  static Texts read(FileReader& reader) {
    std::vector<Line> lines;
    for (;;) {
      const auto outcome = reader.read(lines);
      if (outcome == Outcome::kNothing) break;
      if (outcome == Outcome::kRead) continue;
      reader.finish(lines);
      reader.restart();
    }
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

TEST_F(FileReaderTest, EachLineHasThePlaceOfItsFirstByte) {
  folder_.append("\xEF\xBB\xBFone\r\n\ntwo\nth");
  auto reader = open();
  std::vector<Line> lines;
  while (reader.read(lines) == Outcome::kRead) continue;
  folder_.append("ree\nlast");
  while (reader.read(lines) == Outcome::kRead) continue;
  reader.finish(lines);
  std::vector<std::uint64_t> offsets;
  for (const Line& line : lines) {
    offsets.push_back(line.place.offset);
    EXPECT_EQ(line.place.life, reader.position().life);
  }
  EXPECT_EQ(offsets, (std::vector<std::uint64_t>{0, 8, 9, 13, 19}));
}

TEST_F(FileReaderTest, EachPieceOfALongLineHasAPlaceOfItsOwn) {
  folder_.append("abcdefghij\nk\n");
  FileReader reader(OpenFile::open(folder_.path()), 4);
  std::vector<Line> lines;
  while (reader.read(lines) == Outcome::kRead) continue;
  std::vector<std::uint64_t> offsets;
  for (const Line& line : lines) offsets.push_back(line.place.offset);
  EXPECT_EQ(offsets, (std::vector<std::uint64_t>{0, 4, 8, 11}));
}

TEST_F(FileReaderTest, AFileKeepsItsLifeUntilItIsTruncated) {
  folder_.append("one\n");
  auto reader = open();
  read(reader);
  const auto position = reader.position();
  EXPECT_NE(position.life, 0U);
  folder_.append("two\n");
  auto resumed = open();
  EXPECT_NE(resumed.position().life, position.life) << "Another reader can't know it.";
  ASSERT_TRUE(resumed.resume(position));
  read(resumed);
  EXPECT_EQ(resumed.position().life, position.life);
  resumed.restart();
  EXPECT_NE(resumed.position().life, position.life);
}

TEST_F(FileReaderTest, APositionOfAnEarlierVersionHasNoLifeAndGetsOne) {
  folder_.append("one\n");
  auto reader = open();
  read(reader);
  auto position = reader.position();
  position.life = 0;
  auto resumed = open();
  ASSERT_TRUE(resumed.resume(position));
  EXPECT_NE(resumed.position().life, 0U);
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

TEST_F(FileReaderTest, GivesAtMostAWindowAtATime) {
  std::string text;
  for (int i = 0; i < 5'000; ++i) text += "x\n";
  folder_.append(text);
  auto reader = open();
  std::size_t count = 0;
  for (;;) {
    std::vector<Line> lines;
    if (reader.read(lines) == Outcome::kNothing) break;
    EXPECT_LE(lines.size(), FileReader::kWindowLines);
    count += lines.size();
    EXPECT_EQ(reader.position().offset, 2 * count);
    EXPECT_EQ(reader.behind(), text.size() - 2 * count);
  }
  EXPECT_EQ(count, 5'000U);
}

TEST_F(FileReaderTest, ReadsALongLineInPieces) {
  const std::string line(20 << 20, 'x');
  folder_.append(line + "\n");
  FileReader reader(OpenFile::open(folder_.path()), 64 << 10);
  const auto pieces = read(reader);
  EXPECT_EQ(pieces.size(), line.size() / (64 << 10));
}

TEST_F(FileReaderTest, SkipsAHoleOfManyGigabytesAtOnce) {
  folder_.append("one\n");
  auto reader = open();
  EXPECT_EQ(read(reader), Texts{"one"});
  folder_.truncate();
  std::filesystem::resize_file(folder_.path(), 30LL << 30);
  EXPECT_EQ(read(reader), Texts{});
  folder_.append("two\n");
  EXPECT_EQ(read(reader), Texts{"two"});
  EXPECT_EQ(reader.position().offset, (30ULL << 30) + 4);
}

TEST_F(FileReaderTest, SkipsAHoleAtTheStart) {
  folder_.append("");
  std::filesystem::resize_file(folder_.path(), 200'000);
  folder_.append("one\n");
  auto reader = open();
  EXPECT_EQ(read(reader), Texts{"one"});
}

TEST_F(FileReaderTest, SaysWhyItCannotRead) {
  FileReader reader(OpenFile::open("/proc/self/mem"), 1 << 20);
  EXPECT_EQ(read(reader), Texts{});
  EXPECT_EQ(reader.why_not(), "Input/output error");
  EXPECT_EQ(reader.read_errors(), 1U);
}

TEST_F(FileReaderTest, ReadsAFileThatSaysItIsEmptyToItsEndOnce) {
  FileReader reader(OpenFile::open("/proc/version"), 1 << 20);
  EXPECT_EQ(read(reader).size(), 1U);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(read(reader), Texts{});
  FileReader changing(OpenFile::open("/proc/uptime"), 1 << 20);
  EXPECT_EQ(read(changing).size(), 1U);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(read(changing), Texts{});
}

TEST_F(FileReaderTest, TakesTheByteOrderMarkOfUtf8Off) {
  folder_.append("\xEF\xBB\xBFone\n\xEF\xBB\xBFtwo\n");
  auto reader = open();
  EXPECT_EQ(read(reader), (Texts{"one", "\xEF\xBB\xBFtwo"}));
}

TEST_F(FileReaderTest, RefusesUtf16) {
  folder_.append(std::string("\xFF\xFEo\0n\0e\0\n\0", 10));
  auto reader = open();
  EXPECT_EQ(read(reader), Texts{});
  EXPECT_EQ(reader.why_not(), "is UTF-16; convert it to UTF-8");
  EXPECT_EQ(reader.position().offset, 0U);
  EXPECT_EQ(read(reader), Texts{});
  folder_.truncate();
  folder_.append("one\n");
  EXPECT_EQ(read(reader), Texts{"one"});
  EXPECT_EQ(reader.why_not(), "");
}

TEST_F(FileReaderTest, KeepsALoneCrAtTheEndOfTheLog) {
  folder_.append("one\r\ntwo\r");
  auto reader = open();
  std::vector<Line> lines;
  while (reader.read(lines) == Outcome::kRead) continue;
  reader.finish(lines);
  EXPECT_EQ(lines, (std::vector<Line>{{"one"}, {"two\r"}}));
}

TEST_F(FileReaderTest, ResumesAtAnyOfItsPositionsWithoutLossOrRepetition) {
  std::string text;
  for (int i = 0; i < 3'000; ++i) text += "line " + std::to_string(i) + "\n";
  folder_.append(text + "end");
  for (int windows = 0; windows < 4; ++windows) {
    auto first = open();
    std::vector<Line> lines;
    for (int i = 0; i < windows; ++i) EXPECT_EQ(first.read(lines), Outcome::kRead);
    auto second = open();
    ASSERT_TRUE(second.resume(first.position()));
    while (second.read(lines) == Outcome::kRead) continue;
    second.finish(lines);
    ASSERT_EQ(lines.size(), 3'001U);
    for (int i = 0; i < 3'000; ++i) ASSERT_EQ(lines[i].text, "line " + std::to_string(i));
  }
}

TEST_F(FileReaderTest, DoesNotResumeAnotherFile) {
  folder_.append("one\ntwo\n");
  auto first = open();
  read(first);
  const auto position = first.position();
  EXPECT_EQ(position.offset, 8U);
  folder_.truncate();
  folder_.append("one\n");
  EXPECT_FALSE(open().resume(position));
  folder_.append("TWO\nthree\n");
  EXPECT_FALSE(open().resume(position));
  folder_.truncate();
  folder_.append("one\ntwo\nthree\n");
  auto second = open();
  EXPECT_TRUE(second.resume(position));
  EXPECT_EQ(read(second), Texts{"three"});
}

}  // namespace
}  // namespace weir
