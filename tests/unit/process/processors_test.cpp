#include "process/processors.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace weir {
namespace {

// A folder with a /proc and a /sys of its own.
class ProcessorsTest : public ::testing::Test {
 protected:
  ProcessorsTest() {
    std::string pattern = ::testing::TempDir() + "processors-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
  }
  ~ProcessorsTest() override { std::filesystem::remove_all(root_); }

  void write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  std::optional<double> quota() const { return processor_quota(root_); }

  std::string root_;
};

TEST_F(ProcessorsTest, WithoutCgroupsThereIsNoQuota) {
  EXPECT_EQ(quota(), std::nullopt);
  write("/proc/self/cgroup", "0::/\n");
  EXPECT_EQ(quota(), std::nullopt);
}

TEST_F(ProcessorsTest, ReadsVersionTwoInAContainer) {
  write("/proc/self/cgroup", "0::/\n");
  write("/sys/fs/cgroup/cpu.max", "150000 100000\n");
  EXPECT_EQ(quota(), 1.5);
  write("/sys/fs/cgroup/cpu.max", "max 100000\n");
  EXPECT_EQ(quota(), std::nullopt);
}

TEST_F(ProcessorsTest, OfNestedCgroupsTheLeastCounts) {
  write("/proc/self/cgroup", "0::/system.slice/weir.service\n");
  write("/sys/fs/cgroup/system.slice/weir.service/cpu.max", "max 100000\n");
  write("/sys/fs/cgroup/system.slice/cpu.max", "400000 100000\n");
  EXPECT_EQ(quota(), 4);
  write("/sys/fs/cgroup/system.slice/weir.service/cpu.max", "50000 100000\n");
  EXPECT_EQ(quota(), 0.5);
  write("/sys/fs/cgroup/system.slice/cpu.max", "25000 100000\n");
  EXPECT_EQ(quota(), 0.25);
}

TEST_F(ProcessorsTest, ReadsVersionOne) {
  write("/proc/self/cgroup", "12:memory:/docker/ab\n4:cpu,cpuacct:/docker/ab\n1:cpuset:/docker/ab\n");
  const std::string mount = "/sys/fs/cgroup/cpu,cpuacct";
  write(mount + "/cpu.cfs_quota_us", "-1\n");
  write(mount + "/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(quota(), std::nullopt);
  write(mount + "/docker/ab/cpu.cfs_quota_us", "250000\n");
  write(mount + "/docker/ab/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(quota(), 2.5);
}

// The path in /proc is the host's there, and the mount shows the container's own cgroup.
TEST_F(ProcessorsTest, ReadsVersionOneInAContainer) {
  write("/proc/self/cgroup", "4:cpu,cpuacct:/docker/ab\n");
  write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000\n");
  write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(quota(), 3);
}

// Systemd's mixture: version 2 is there without the controller.
TEST_F(ProcessorsTest, ReadsBothVersionsAtOnce) {
  write("/proc/self/cgroup", "4:cpuacct,cpu:/\n0::/init.scope\n");
  write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n");
  write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(quota(), 2);
}

TEST_F(ProcessorsTest, WhatCanNotBeReadIsNoQuota) {
  for (const char* const text :
       {"", "\n", "max", "x y\n", "0 100000\n", "100000 0\n", "100000\n", "-5 100000\n"}) {
    write("/proc/self/cgroup", "no colon\n:\n0:/\n0::/../../x\n0::relative\n");
    write("/sys/fs/cgroup/cpu.max", text);
    EXPECT_EQ(quota(), std::nullopt) << text;
  }
}

TEST_F(ProcessorsTest, IsRoundedUpAndNeverMoreThanThereAre) {
  EXPECT_EQ(usable_processors(8, std::nullopt), 8U);
  EXPECT_EQ(usable_processors(8, 2), 2U);
  EXPECT_EQ(usable_processors(8, 1.5), 2U);
  EXPECT_EQ(usable_processors(8, 0.01), 1U);
  EXPECT_EQ(usable_processors(8, 1e300), 8U);
  EXPECT_EQ(usable_processors(0, std::nullopt), 1U);
  EXPECT_GE(usable_processors(), 1U);
}

}  // namespace
}  // namespace weir
