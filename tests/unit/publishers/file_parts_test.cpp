#include <gtest/gtest.h>

#include "publishers/file/file_messages.h"
#include "publishers/file/part_windows.h"
#include "tests/unit/publishers/log_folder.h"

namespace weir {
namespace {

class PartWindowsTest : public ::testing::Test {
 protected:
  FileSource file_of(std::size_t bytes) {
    content_.clear();
    for (std::size_t i = 0; i < bytes; ++i) content_ += static_cast<char>(i * 7);
    folder_.append(content_);
    return std::move(*FileSource::open(folder_.path()));
  }

  LogFolder folder_;
  std::string content_;
};

TEST_F(PartWindowsTest, HoldEachPartOnceWithinTheirLimits) {
  const auto file = file_of(100'003);
  PartWindows windows(file, 10, 5'000);
  std::size_t n = 0;
  std::uint64_t file_bytes = 0;
  PartWindow window;
  for (;;) {
    ASSERT_FALSE(windows.next(window));
    if (window.payloads.empty()) break;
    std::uint64_t encoded_bytes = 0;
    for (const auto& payload : window.payloads) {
      EXPECT_EQ(payload, encode_part(n, n * 10, content_.substr(n * 10, 10)));
      encoded_bytes += payload.size();
      ++n;
    }
    EXPECT_EQ(window.encoded_bytes, encoded_bytes);
    EXPECT_LE(window.encoded_bytes, 5'000U);
    file_bytes += window.file_bytes;
  }
  EXPECT_EQ(n, count_parts(file.size(), 10));
  EXPECT_EQ(file_bytes, file.size());
  EXPECT_EQ(windows.digest(), *file.sha256({}));
}

TEST_F(PartWindowsTest, AWindowHasAtMostSoManyParts) {
  const auto file = file_of(PartWindows::kWindowPartsMax + 1);
  PartWindows windows(file, 1, 1 << 30);
  PartWindow window;
  ASSERT_FALSE(windows.next(window));
  EXPECT_EQ(window.payloads.size(), PartWindows::kWindowPartsMax);
  ASSERT_FALSE(windows.next(window));
  EXPECT_EQ(window.payloads.size(), 1U);
}

TEST_F(PartWindowsTest, APartThatIsLargerThanAWindowIsAlone) {
  const auto file = file_of(3'000);
  PartWindows windows(file, 1'000, 0);
  PartWindow window;
  for (int i = 0; i < 3; ++i) {
    ASSERT_FALSE(windows.next(window));
    EXPECT_EQ(window.payloads.size(), 1U);
  }
  ASSERT_FALSE(windows.next(window));
  EXPECT_TRUE(window.payloads.empty());
}

TEST_F(PartWindowsTest, SayIfTheFileBecameShorter) {
  const auto file = file_of(3'000);
  PartWindows windows(file, 1'000, 0);
  PartWindow window;
  ASSERT_FALSE(windows.next(window));
  folder_.truncate();
  const auto error = windows.next(window);
  ASSERT_TRUE(error);
  EXPECT_NE(error->message.find("became shorter"), std::string::npos);
}

}  // namespace
}  // namespace weir
