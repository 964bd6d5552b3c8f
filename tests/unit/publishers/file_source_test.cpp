#include "publishers/file/file_source.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/unit/publishers/log_folder.h"

namespace weir {
namespace {

TEST(FileSource, KnowsItsDigest) {
  const LogFolder folder;
  folder.append("abc");
  const auto file = FileSource::open(folder.path());
  ASSERT_TRUE(file);
  EXPECT_EQ(file->name(), "log");
  EXPECT_EQ(file->size(), 3U);
  EXPECT_EQ(*file->sha256({}), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(FileSource, KnowsTheDigestOfNothing) {
  const LogFolder folder;
  folder.append("");
  EXPECT_EQ(*FileSource::open(folder.path())->sha256({}),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(FileSource, ReadsInPieces) {
  const LogFolder folder;
  folder.append("abcdefg");
  const auto file = FileSource::open(folder.path());
  EXPECT_EQ(*file->read(0, 3), "abc");
  EXPECT_EQ(*file->read(6, 3), "g");
  EXPECT_EQ(*file->read(7, 3), "");
}

TEST(FileSource, RefusesWhatIsMissingOrNoFile) {
  const LogFolder folder;
  EXPECT_NE(FileSource::open(folder.path()).error().message.find("No such file"), std::string::npos);
  EXPECT_NE(FileSource::open(folder.path("")).error().message.find("not a regular file"), std::string::npos);
  ASSERT_EQ(::mkfifo(folder.path("fifo").c_str(), 0600), 0);
  EXPECT_NE(FileSource::open(folder.path("fifo")).error().message.find("not a regular file"),
            std::string::npos);
}

TEST(FileSource, ANameMakesNoSecondLineOfAnError) {
  const LogFolder folder;
  EXPECT_EQ(FileSource::open(folder.path("a\nb")).error().message,
            "cannot open " + std::string(folder.path("a\\nb")) + ": No such file or directory");
}

TEST(FileSource, NoticesThatItWasWrittenTo) {
  const LogFolder folder;
  folder.append("abc");
  const auto file = FileSource::open(folder.path());
  EXPECT_TRUE(file->is_unchanged());
  folder.append("d");
  EXPECT_FALSE(file->is_unchanged());
  EXPECT_EQ(*file->read(0, 10), "abc");
  folder.truncate();
  EXPECT_NE(file->read(0, 10).error().message.find("shorter"), std::string::npos);
}

}  // namespace
}  // namespace weir
