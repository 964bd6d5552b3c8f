#include "bench/load/progress.h"

#include <gtest/gtest.h>

namespace weir::bench {
namespace {

TEST(Progress, MessageIsCompleteWhenItsLastClientHasIt) {
  Progress progress({3}, 8);
  progress.publish_next();
  EXPECT_FALSE(progress.received(0));
  EXPECT_FALSE(progress.received(0));
  EXPECT_EQ(progress.completed(), 0u);
  EXPECT_TRUE(progress.received(0));
  EXPECT_EQ(progress.completed(), 1u);
}

TEST(Progress, OnlySoManyAreOnTheirWay) {
  Progress progress({1}, 4);
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(progress.can_publish());
    progress.publish_next();
  }
  EXPECT_FALSE(progress.can_publish());
  EXPECT_FALSE(progress.is_half_free());
  progress.received(0);
  EXPECT_TRUE(progress.can_publish());
  EXPECT_FALSE(progress.is_half_free());
  progress.received(1);
  EXPECT_TRUE(progress.is_half_free());
}

TEST(Progress, MessageGoesToTheClientsOfItsChannel) {
  Progress progress({2, 0, 1}, 8);
  for (int i = 0; i < 3; ++i) progress.publish_next();
  EXPECT_EQ(progress.completed(), 1u) << "the channel without clients";
  EXPECT_TRUE(progress.received(2));
  EXPECT_FALSE(progress.received(0));
  EXPECT_TRUE(progress.received(0));
  EXPECT_EQ(progress.completed(), progress.published());
}

TEST(Progress, LateMessageOfOneChannelKeepsItsPlace) {
  Progress progress({1, 1}, 4);  // A ring of eight.
  for (int i = 0; i < 4; ++i) progress.publish_next();
  for (std::uint64_t sequence = 1; sequence < 8; ++sequence) {
    progress.received(sequence);
    if (progress.can_publish()) progress.publish_next();
  }
  EXPECT_EQ(progress.published(), 8u);
  EXPECT_FALSE(progress.can_publish()) << "the place of message 8 is still that of message 0";
  EXPECT_TRUE(progress.received(0));
  EXPECT_TRUE(progress.can_publish());
}

}  // namespace
}  // namespace weir::bench
