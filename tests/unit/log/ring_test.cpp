#include "broker/log/ring.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <random>

namespace weir {
namespace {

TEST(Ring, BehavesLikeADeque) {
  Ring<int> ring;
  std::deque<int> model;
  std::minstd_rand random(7);
  for (int step = 0; step < 100'000; ++step) {
    // Long phases of growing and of shrinking.
    const bool grows = (step / 1'000) % 2 == 0 ? random() % 3 != 0 : random() % 3 == 0;
    if (grows || model.empty()) {
      ring.push_back(step);
      model.push_back(step);
    } else {
      ring.pop_front();
      model.pop_front();
    }
    ASSERT_EQ(ring.size(), model.size());
    if (model.empty()) continue;
    ASSERT_EQ(ring.front(), model.front());
    ASSERT_EQ(ring.back(), model.back());
    const std::size_t index = random() % model.size();
    ASSERT_EQ(ring[index], model[index]);
  }
}

TEST(Ring, LetsGoOfWhatIsPopped) {
  Ring<std::shared_ptr<int>> ring;
  const auto value = std::make_shared<int>(1);
  ring.push_back(value);
  ring.push_back(value);
  ring.pop_front();
  EXPECT_EQ(value.use_count(), 2);
  ring.pop_front();
  EXPECT_EQ(value.use_count(), 1);
}

TEST(Ring, AnEmptyOneTakesNoMemoryOfItsOwn) { EXPECT_LE(sizeof(Ring<int>), 32U); }

}  // namespace
}  // namespace weir
