#include "publishers/file/file_source.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "publishers/program/sha256.h"
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

TEST(FileSource, SaysWhatIsNoFile) {
  const LogFolder folder;
  const auto why_not = [](const std::string& path) { return FileSource::open(path).error().message; };
  EXPECT_EQ(why_not(folder.path()), "cannot open " + folder.path().string() + ": No such file or directory");
  EXPECT_EQ(why_not(folder.path("")), folder.path("").string() + " is a directory, not a regular file");
  ASSERT_EQ(::mkfifo(folder.path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(why_not(folder.path("fifo")), folder.path("fifo").string() + " is a FIFO, not a regular file");
  EXPECT_EQ(why_not("/dev/null"), "/dev/null is a device, not a regular file");
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  const std::string path = folder.path("socket");
  ASSERT_LT(path.size(), sizeof(address.sun_path));
  std::memcpy(address.sun_path, path.c_str(), path.size());
  ASSERT_EQ(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(why_not(path), path + " is a socket, not a regular file");
  ::close(listener);
}

TEST(FileSource, SaysWhyAFileCannotBeRead) {
  const auto file = FileSource::open("/proc/self/mem");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().message, "cannot read /proc/self/mem: Input/output error");
}

TEST(FileSource, ReadsAFileThatSaysItIsEmptyToItsEnd) {
  std::ifstream stream("/proc/version");
  const std::string version{std::istreambuf_iterator<char>(stream), {}};
  ASSERT_FALSE(version.empty());
  const auto file = FileSource::open("/proc/version");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->size(), version.size());
  EXPECT_EQ(*file->read(0, version.size() + 10), version);
  EXPECT_EQ(*file->read(version.size(), 10), "");
  EXPECT_TRUE(file->has_its_size());
  Sha256 sum;
  sum.add(version);
  EXPECT_EQ(*file->sha256({}), sum.finish());
}

TEST(FileSource, ReadsAFileThatSaysItIsLongerThanItIsToItsEnd) {
  // The kernel says 4096 for each file of /sys.
  constexpr auto kPath = "/sys/kernel/mm/transparent_hugepage/enabled";
  std::ifstream stream(kPath);
  const std::string content{std::istreambuf_iterator<char>(stream), {}};
  if (content.empty()) GTEST_SKIP() << kPath << " is not there";
  const auto file = FileSource::open(kPath);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(*file->read(0, 4'096), content);
}

TEST(FileSource, RefusesALongFileOfUntrueSize) {
  const std::string path = "/proc/kallsyms";
  std::ifstream stream(path);
  stream.ignore(kSpooledBytesMax + 1);
  if (!stream) GTEST_SKIP() << path << " is not long";
  const auto file = FileSource::open(path);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().message,
            path + " says it has 0 bytes, and has more than 262144: copy it to a file first");
}

TEST(FileSource, ANameMakesNoSecondLineOfAnError) {
  const LogFolder folder;
  EXPECT_EQ(FileSource::open(folder.path("a\nb")).error().message,
            "cannot open " + std::string(folder.path("a\\nb")) + ": No such file or directory");
}

TEST(FileSource, NoticesThatItsSizeChanged) {
  const LogFolder folder;
  folder.append("abc");
  const auto file = FileSource::open(folder.path());
  EXPECT_TRUE(file->has_its_size());
  ASSERT_EQ(::utimensat(AT_FDCWD, folder.path().c_str(), nullptr, 0), 0);
  EXPECT_TRUE(file->has_its_size()) << "its times are no change";
  folder.append("d");
  EXPECT_FALSE(file->has_its_size());
  EXPECT_EQ(*file->read(0, 10), "abc");
  folder.truncate();
  EXPECT_NE(file->read(0, 10).error().message.find("shorter"), std::string::npos);
}

TEST(FileSource, AStopEndsTheDigest) {
  const LogFolder folder;
  folder.append("");
  std::filesystem::resize_file(folder.path(), 1ULL << 40);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_TRUE(FileSource::open(folder.path())->sha256(stop.get_token()));
}

}  // namespace
}  // namespace weir
