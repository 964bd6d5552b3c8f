#include "publishers/log/rotated_files.h"

#include <gtest/gtest.h>

#include "tests/unit/publishers/log_folder.h"

namespace weir {
namespace {

TEST(RotatedFiles, KnowsTheNamesThatLogRotationGives) {
  for (const auto* name : {"app.log.1", "app.log-20260101", "app.log-2026010112", "app-20260101.log",
                           "app.1.log", "app.log.old", "app.log.20260101-120000"}) {
    EXPECT_TRUE(is_rotated_name(name, "app.log")) << name;
  }
  EXPECT_TRUE(is_rotated_name("0.log.20260101-120000", "0.log"));
  EXPECT_TRUE(is_rotated_name("syslog.1", "syslog"));
}

TEST(RotatedFiles, KnowsWhatIsNone) {
  for (const auto* name : {"app.log", "app.log.1.gz", "app.log.", "app.logger", "app.log.error", "app2.log",
                           "app-20260101.log.xz", "app-worker.log", "app.log1", "other.log.1"}) {
    EXPECT_FALSE(is_rotated_name(name, "app.log")) << name;
  }
}

TEST(RotatedFiles, ComeInTheOrderOfTheirLastChange) {
  const LogFolder folder;
  const auto now = std::filesystem::file_time_type::clock::now();
  for (const int age : {1, 3, 2}) {
    const std::string name = "log." + std::to_string(age);
    folder.append("x", name);
    std::filesystem::last_write_time(folder.path(name), now - std::chrono::hours(age));
  }
  folder.append("x", "log.4.gz");
  const auto files = rotated_files(folder.path().string());
  ASSERT_EQ(files.size(), 3U);
  EXPECT_EQ(files[0].path, folder.path("log.3"));
  EXPECT_EQ(files[2].path, folder.path("log.1"));
}

TEST(RotatedFiles, AreFoundWhereALinkLeads) {
  const LogFolder folder;
  std::filesystem::create_directory(folder.path("pod"));
  folder.append("x", "pod/0.log");
  folder.append("x", "pod/0.log.20260101-120000");
  std::filesystem::create_symlink(folder.path("pod/0.log"), folder.path("app.log"));
  EXPECT_EQ(rotated_files(folder.path("app.log").string()).size(), 1U);
}

}  // namespace
}  // namespace weir
