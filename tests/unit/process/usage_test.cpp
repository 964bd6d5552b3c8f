#include "process/usage.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <vector>

namespace weir {
namespace {

TEST(ProcessUsage, CountsDescriptors) {
  const ProcessUsage before = process_usage();
  const int descriptor = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const ProcessUsage with_one_more = process_usage();
  ::close(descriptor);
  EXPECT_GE(before.open_descriptors, 3U);
  EXPECT_EQ(with_one_more.open_descriptors, before.open_descriptors + 1);
  EXPECT_GE(before.descriptors_max, before.open_descriptors);
}

TEST(ProcessUsage, CountsMemoryThatIsTouched) {
  constexpr std::size_t kBytes = 64 << 20;
  const ProcessUsage before = process_usage();
  const std::vector<char> touched(kBytes, 1);
  EXPECT_GE(process_usage().resident_bytes, before.resident_bytes + kBytes * touched.back() / 2);
}

TEST(ProcessUsage, CountsProcessorTime) {
  const double before = process_usage().processor_seconds;
  while (process_usage().processor_seconds < before + 0.01) {
  }
  EXPECT_GT(before, 0);
}

TEST(ProcessUsage, KnowsWhenTheProcessStarted) {
  const auto now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  EXPECT_LE(process_usage().started_at, now);
  EXPECT_GT(process_usage().started_at, 1'600'000'000);
  EXPECT_EQ(process_usage().started_at, process_usage().started_at);
}

// A folder with a /proc and a /sys of its own.
class MemoryLimitTest : public ::testing::Test {
 protected:
  MemoryLimitTest() {
    std::string pattern = ::testing::TempDir() + "usage-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
  }
  ~MemoryLimitTest() override { std::filesystem::remove_all(root_); }

  void write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }

  std::string root_;
};

TEST_F(MemoryLimitTest, ReadsVersionTwoInAContainer) {
  write("/proc/self/cgroup", "0::/\n");
  EXPECT_FALSE(memory_limit(root_));
  write("/sys/fs/cgroup/memory.max", "max\n");
  write("/sys/fs/cgroup/memory.current", "5000\n");
  EXPECT_FALSE(memory_limit(root_));
  write("/sys/fs/cgroup/memory.max", "8000\n");
  ASSERT_TRUE(memory_limit(root_));
  EXPECT_EQ(memory_limit(root_)->limit_bytes, 8000U);
  EXPECT_EQ(memory_limit(root_)->used_bytes, 5000U);
  write("/sys/fs/cgroup/memory.stat", "anon 1\ninactive_file 1200\nactive_file 7\n");
  EXPECT_EQ(memory_limit(root_)->used_bytes, 3800U);
}

TEST_F(MemoryLimitTest, OfNestedCgroupsTheTightestCounts) {
  write("/proc/self/cgroup", "0::/pod/container\n");
  write("/sys/fs/cgroup/pod/container/memory.max", "9000\n");
  write("/sys/fs/cgroup/pod/container/memory.current", "100\n");
  write("/sys/fs/cgroup/pod/memory.max", "4000\n");
  write("/sys/fs/cgroup/pod/memory.current", "300\n");
  EXPECT_EQ(memory_limit(root_)->limit_bytes, 4000U);
  EXPECT_EQ(memory_limit(root_)->used_bytes, 300U);
}

TEST_F(MemoryLimitTest, ReadsVersionOneWhoseLargestNumberIsNoLimit) {
  write("/proc/self/cgroup", "4:memory:/docker/ab\n0::/\n");
  write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  write("/sys/fs/cgroup/memory/memory.usage_in_bytes", "2000\n");
  EXPECT_FALSE(memory_limit(root_));
  write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "3000\n");
  write("/sys/fs/cgroup/memory/memory.stat", "inactive_file 1\ntotal_inactive_file 500\n");
  EXPECT_EQ(memory_limit(root_)->limit_bytes, 3000U);
  EXPECT_EQ(memory_limit(root_)->used_bytes, 1500U);
}

}  // namespace
}  // namespace weir
