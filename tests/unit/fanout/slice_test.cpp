#include "broker/fanout/slice.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/fanout/fanout_fixture.h"

namespace weir {
namespace {

constexpr Sequence kAll = 1'000;
const Encoding kPlain{Form::kChannel, false};

class SliceTest : public ::testing::Test {
 protected:
  SliceTest() {
    log_.begin(1);
    slice_.begin(log_.end());
  }

  void append(const std::string& data, bool is_end = false) {
    Message message;
    message.data = data;
    message.is_end = is_end;
    log_.append(Frame::of_message(message, "news", "gepoch000.1", counter_), ++sequence_, SteadyTime{});
  }
  static std::string block(const std::string& data) { return "data: " + data + "\nid: gepoch000.1\n\n"; }

  std::shared_ptr<FrameBytes> counter_ = std::make_shared<FrameBytes>();
  ChannelLog log_{log_limits()};
  Sequence sequence_ = 1;
  Slice slice_;
};

TEST_F(SliceTest, GrowsWhileItIsBeingSent) {
  append("a");
  slice_.read(log_, kAll);
  EXPECT_EQ(slice_.batch(kPlain, "news").bytes(), block("a"));
  append("b");
  append("c");
  slice_.read(log_, kAll);
  const Batch& batch = slice_.batch(kPlain, "news");
  EXPECT_EQ(batch.bytes(), block("a") + block("b") + block("c"));
  EXPECT_EQ(batch.frames(), slice_.entries().size());
}

TEST_F(SliceTest, AnEncodingThatIsAskedForLateIsWholeToo) {
  append("a");
  slice_.read(log_, kAll);
  slice_.batch(kPlain, "news");
  append("b");
  slice_.read(log_, kAll);
  EXPECT_EQ(slice_.batch({Form::kChannel, true}, "news").frames(), 2U);
}

TEST_F(SliceTest, KnowsWhatAReaderStillNeeds) {
  const Cursor start = log_.end();
  append("a");
  append("b");
  slice_.read(log_, kAll);
  EXPECT_TRUE(slice_.holds_all_after(start));
  EXPECT_EQ(slice_.index_after(start), 0U);
  EXPECT_EQ(slice_.index_after(slice_.entries()[0].at), 1U);
  EXPECT_EQ(slice_.index_after(slice_.last().at), 2U);
  slice_.begin(slice_.last().at);
  EXPECT_FALSE(slice_.holds_all_after(start));
}

TEST_F(SliceTest, StopsAtTheHorizonAndGoesOnFromThere) {
  append("a");
  append("b");
  slice_.read(log_, sequence_ - 1);
  EXPECT_EQ(slice_.entries().size(), 1U);
  slice_.read(log_, sequence_);
  EXPECT_EQ(slice_.entries().size(), 2U);
}

TEST_F(SliceTest, IsFullOfSoManyBytesOrAtAnEnd) {
  append(std::string(kBatchBytes / 2, 'x'));
  slice_.read(log_, kAll);
  EXPECT_FALSE(slice_.is_full());
  append(std::string(kBatchBytes / 2, 'x'));
  slice_.read(log_, kAll);
  EXPECT_TRUE(slice_.is_full());

  slice_.begin(log_.end());
  EXPECT_FALSE(slice_.is_full());
  append("bye", true);
  slice_.read(log_, kAll);
  EXPECT_TRUE(slice_.is_full());
}

TEST_F(SliceTest, GoesOnOverTurnsSoThatOneWhoLagsFindsEverythingInIt) {
  const Cursor start = log_.end();
  append("a");
  slice_.read(log_, kAll);
  const Cursor after_a = slice_.last().at;
  slice_.go_on(after_a, kBatchBytes);
  EXPECT_EQ(slice_.first_of_turn(), slice_.entries().size());
  append("b");
  slice_.read(log_, kAll);
  EXPECT_EQ(slice_.first_of_turn(), 1U);
  EXPECT_TRUE(slice_.holds_all_after(start));
  EXPECT_EQ(slice_.index_after(start), 0U);
  EXPECT_EQ(slice_.index_after(after_a), 1U);
  EXPECT_EQ(slice_.batch(kPlain, "news").bytes(), block("a") + block("b"));
}

TEST_F(SliceTest, BeginsAnewWhereItIsNotContinued) {
  const Cursor start = log_.end();
  append("a");
  slice_.read(log_, kAll);
  append("b");
  slice_.go_on(log_.end(), kBatchBytes);  // "b" was jumped over.
  EXPECT_TRUE(slice_.empty());
  EXPECT_FALSE(slice_.holds_all_after(start));
}

TEST_F(SliceTest, BeginsAnewWithTooManyBytesAndAfterAnEnd) {
  append("a");
  slice_.read(log_, kAll);
  slice_.go_on(slice_.last().at, 1);
  EXPECT_TRUE(slice_.empty());
  append("bye", true);
  slice_.read(log_, kAll);
  slice_.go_on(slice_.last().at, kBatchBytes);
  EXPECT_TRUE(slice_.empty());
}

TEST_F(SliceTest, HasRoomForABatchInEachTurn) {
  append(std::string(kBatchBytes - 100, 'x'));
  slice_.read(log_, kAll);
  slice_.go_on(slice_.last().at, kBatchBytes);
  append(std::string(kBatchBytes - 100, 'y'));
  append("z");
  EXPECT_FALSE(slice_.read(log_, kAll).has_more);
  EXPECT_EQ(slice_.entries().size(), 3U);
}

TEST_F(SliceTest, AFrameThatIsNotCopiedStandsAlone) {
  append("a");
  slice_.read(log_, kAll);
  const Cursor after_a = slice_.last().at;
  slice_.batch(kPlain, "news");
  slice_.go_on(after_a, kBatchBytes);
  append(std::string(kBatchBytes, 'x'));
  slice_.read(log_, kAll);
  ASSERT_EQ(slice_.entries().size(), 1U);
  EXPECT_EQ(slice_.first_of_turn(), 0U);
  EXPECT_EQ(slice_.index_after(after_a), 0U);
  const std::string_view bytes = slice_.batch(kPlain, "news").bytes();
  const std::string_view frame = block_of_chunk(slice_.last().frame->chunk(Form::kChannel, "news"));
  EXPECT_EQ(bytes.data(), frame.data());
}

}  // namespace
}  // namespace weir
