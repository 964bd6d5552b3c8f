#include "publishers/log/rename_tracker.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

class RenameTrackerTest : public ::testing::Test {
 protected:
  void rename(const std::string& from, const std::string& to) {
    ++cookie_;
    tracker_.moved_from(from, cookie_);
    tracker_.moved_to(to, cookie_);
  }
  std::string take() {
    const std::string name = tracker_.first().name;
    tracker_.take_first();
    return name;
  }

  RenameTracker tracker_{"log"};
  std::uint32_t cookie_ = 0;
};

TEST_F(RenameTrackerTest, SeesAFileAppear) {
  tracker_.created("other");
  EXPECT_FALSE(tracker_.has_arrival());
  tracker_.created("log");
  EXPECT_EQ(take(), "log");
  EXPECT_FALSE(tracker_.has_arrival());
}

TEST_F(RenameTrackerTest, SeesAFileThatIsMovedToTheName) {
  rename("log.tmp", "log");
  EXPECT_EQ(take(), "log");
}

TEST_F(RenameTrackerTest, FindsFilesThatWereRotatedSince) {
  tracker_.created("log");
  rename("log", "log.1");
  tracker_.created("log");
  rename("log.1", "log.2");
  rename("log", "log.1");
  tracker_.created("log");
  EXPECT_EQ(take(), "log.2");
  EXPECT_EQ(take(), "log.1");
  EXPECT_EQ(take(), "log");
  EXPECT_EQ(tracker_.take_lost(), 0U);
}

TEST_F(RenameTrackerTest, TellsThatAnArrivalHasChanged) {
  tracker_.created("log");
  const auto before = tracker_.first();
  rename("log", "log.1");
  EXPECT_EQ(tracker_.first().id, before.id);
  EXPECT_NE(tracker_.first().changes, before.changes);
}

TEST_F(RenameTrackerTest, CountsFilesThatWereRemovedOrReplaced) {
  tracker_.created("log");
  tracker_.removed("log");
  tracker_.created("log");
  rename("tmp", "log");
  EXPECT_EQ(tracker_.take_lost(), 2U);
  EXPECT_EQ(tracker_.take_lost(), 0U);
  EXPECT_EQ(take(), "log");
}

TEST_F(RenameTrackerTest, HasNoNameForAFileThatLeftTheDirectory) {
  tracker_.created("log");
  tracker_.moved_from("log", 7);
  EXPECT_EQ(take(), "");
}

TEST_F(RenameTrackerTest, IgnoresWhatBecomesOfFilesThatWereTaken) {
  tracker_.created("log");
  tracker_.take_first();
  rename("log", "log.1");
  tracker_.removed("log.1");
  EXPECT_FALSE(tracker_.has_arrival());
  EXPECT_EQ(tracker_.take_lost(), 0U);
}

TEST_F(RenameTrackerTest, LosesTheOldestOfTooManyArrivals) {
  for (std::size_t n = 0; n < RenameTracker::kArrivalsMax + 2; ++n) {
    tracker_.created("log");
    rename("log", std::to_string(n));
  }
  EXPECT_EQ(tracker_.take_lost(), 2U);
  EXPECT_EQ(take(), "2");
}

}  // namespace
}  // namespace weir
