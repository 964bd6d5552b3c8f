#include "publishers/delivery/subscriber_counts.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(SubscriberCounts, AwaitsOnANewConnectionWhatEachChannelHad) {
  SubscriberCounts counts;
  counts.set("a", 2);
  counts.set("b", 0);
  EXPECT_EQ(counts.awaited("a"), 0);
  counts.reconnect();
  EXPECT_EQ(counts.awaited("a"), 2);
  EXPECT_EQ(counts.awaited("b"), 0);
  EXPECT_EQ(counts.awaited("c"), 0);
  counts.settle("a");
  EXPECT_EQ(counts.awaited("a"), 0);
  counts.reconnect();
  EXPECT_EQ(counts.awaited("a"), 2) << "Nothing was published on the connection between.";
}

TEST(SubscriberCounts, ForgetsTheChannelThatWasPublishedToLongestAgoPastItsLimit) {
  SubscriberCounts counts;
  counts.set("kept", 1);
  counts.set("oldest", 1);
  for (std::size_t i = 2; i < SubscriberCounts::kChannelsMax; ++i) counts.set(std::to_string(i), 1);
  counts.set("kept", 1);
  counts.set("one more", 1);
  counts.reconnect();
  EXPECT_EQ(counts.awaited("oldest"), 0);
  EXPECT_EQ(counts.awaited("kept"), 1);
  EXPECT_EQ(counts.awaited("one more"), 1);
}

}  // namespace
}  // namespace weir
