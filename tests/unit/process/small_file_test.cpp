#include "process/small_file.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

namespace weir {
namespace {

class SmallFile : public ::testing::Test {
 protected:
  SmallFile() { std::filesystem::create_directories(folder_); }
  ~SmallFile() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  std::string write(const std::string& name, const std::string& content) const {
    std::ofstream(path(name), std::ios::binary) << content;
    return path(name);
  }
  static std::string error_of(const std::string& path, std::size_t bytes_max = 10) {
    const auto content = read_small_file(path, bytes_max);
    return content ? "no error" : content.error().message;
  }

  const std::string folder_ = ::testing::TempDir() + "weir-small-file-" + std::to_string(::getpid());
};

TEST_F(SmallFile, IsReadAsAWholeWithWhateverBytesItHolds) {
  const std::string bytes("a\r\n\0\xff", 5);
  EXPECT_EQ(*read_small_file(write("some", bytes), 10), bytes);
  EXPECT_EQ(*read_small_file(write("none", ""), 10), "");
  const std::string large(100'000, 'x');
  EXPECT_EQ(*read_small_file(write("large", large), 1 << 20), large);
}

TEST_F(SmallFile, MayHaveAsManyBytesAsTheLimitAndNoMore) {
  EXPECT_EQ(*read_small_file(write("ten", "0123456789"), 10), "0123456789");
  EXPECT_EQ(error_of(write("eleven", "0123456789a")), "\"" + path("eleven") + "\": is longer than 10 B");
  EXPECT_EQ(error_of(write("two", std::string((1 << 20) + 1, 'x')), 1 << 20),
            "\"" + path("two") + "\": is longer than 1 MiB");
}

TEST_F(SmallFile, IsReadByALinkAndWhereItsSizeIsNotTold) {
  write("target", "here");
  std::filesystem::create_symlink("target", path("link"));
  EXPECT_EQ(*read_small_file(path("link"), 10), "here");
  const auto name = read_small_file("/proc/self/comm", 100);
  ASSERT_TRUE(name);
  EXPECT_TRUE(name->ends_with('\n')) << *name;
}

TEST_F(SmallFile, ThatCanNotBeReadIsToldInTheSystemsWords) {
  EXPECT_EQ(error_of(path("none")), "\"" + path("none") + "\": can't be read: No such file or directory");
  EXPECT_EQ(error_of(""), "\"\": can't be read: No such file or directory");
  EXPECT_EQ(error_of(write("file", "") + "/x"), "\"" + path("file") + "/x\": can't be read: Not a directory");
}

TEST_F(SmallFile, IsARegularFileAndNothingIsWaitedFor) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(error_of(path("pipe")), "\"" + path("pipe") + "\": is no regular file");
  EXPECT_EQ(error_of(folder_), "\"" + folder_ + "\": is no regular file");
  EXPECT_EQ(error_of("/dev/zero"), "\"/dev/zero\": is no regular file");
  EXPECT_EQ(error_of("/dev/null"), "\"/dev/null\": is no regular file");
  EXPECT_EQ(error_of("/dev/ptmx"), "\"/dev/ptmx\": is no regular file");
}

TEST_F(SmallFile, IsNoSocket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path("socket").size(), sizeof address.sun_path);
  std::strcpy(address.sun_path, path("socket").c_str());
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(error_of(path("socket")), "\"" + path("socket") + "\": is no regular file");
  ::close(socket);
}

TEST_F(SmallFile, ANameMakesNoSecondLineAndHidesNoOtherFile) {
  EXPECT_EQ(error_of(path("a\nb\x1b")),
            "\"" + path("a\\nb\\x1b") + "\": can't be read: No such file or directory");
  EXPECT_EQ(error_of(write("file", "x") + std::string("\0y", 2)),
            "\"" + path("file\\x00y") + "\": is no path: it holds a NUL");
}

}  // namespace
}  // namespace weir
