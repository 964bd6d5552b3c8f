#include "broker/log/frame.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "tests/unit/log/log_fixture.h"

namespace weir {
namespace {

class FrameTest : public LogTest {
 protected:
  FramePtr frame_of(const Message& message, const std::string& id = "gepoch000.1") {
    return Frame::of_message(message, "news", id, counter_);
  }
};

TEST_F(FrameTest, IsOneChunkInTheChannelForm) {
  EXPECT_EQ(frame_of(message_of("hello"))->chunk(Form::kChannel, "news"),
            "1d\r\ndata: hello\nid: gepoch000.1\n\n\r\n");
}

TEST_F(FrameTest, KnowsItsTypeBehindRetry) {
  Message message = message_of("x", "price");
  EXPECT_EQ(frame_of(message)->type(), "price");
  message.retry = std::chrono::seconds(3);
  EXPECT_EQ(frame_of(message)->type(), "price");
  EXPECT_EQ(frame_of(message_of("x"))->type(), "");
  EXPECT_EQ(frame_of(end_message())->type(), "weir:end");
}

TEST_F(FrameTest, MakesEachOtherFormOnce) {
  const FramePtr frame = frame_of(message_of("1", "t"));
  const std::string_view first = frame->chunk(Form::kEvents, "news");
  EXPECT_EQ(decode_block(block_of_chunk(first)).type, "news/t");
  EXPECT_EQ(frame->chunk(Form::kEvents, "news").data(), first.data());
}

TEST_F(FrameTest, CountsItsBytesForAsLongAsItLives) {
  {
    const FramePtr frame = frame_of(message_of("hello"));
    EXPECT_EQ(counter_->total(), frame->bytes() + kFrameOverhead);
    const std::size_t other = frame->chunk(Form::kJson, "news").size();
    EXPECT_EQ(counter_->total(), frame->bytes() + kFrameOverhead + other);
  }
  EXPECT_EQ(counter_->total(), 0U);
}

TEST_F(FrameTest, ShardsMayAskForAFormAtTheSameTime) {
  for (int round = 0; round < 50; ++round) {
    const FramePtr frame = frame_of(message_of("hello", "t"));
    std::vector<std::thread> shards;
    for (int i = 0; i < 4; ++i) {
      shards.emplace_back([&] {
        EXPECT_EQ(decode_block(block_of_chunk(frame->chunk(Form::kEvents, "news"))).data, "hello");
      });
    }
    for (auto& shard : shards) shard.join();
  }
  EXPECT_EQ(counter_->total(), 0U);
}

TEST_F(FrameTest, AGapMovesThePositionBehindItsEventInEveryForm) {
  const FramePtr gap = Frame::of_gap("news", 3, GapReason::kTooLarge, "gepoch000.7", counter_);
  const std::string_view block = block_of_chunk(gap->chunk(Form::kJson, "news"));
  const auto split = block.find("\n\n") + 2;
  EXPECT_EQ(decode_block(block.substr(0, split)).type, "weir:gap");
  EXPECT_EQ(decode_block(block.substr(0, split)).id, "");
  EXPECT_EQ(block.substr(split), "id: gepoch000.7\n\n");
}

}  // namespace
}  // namespace weir
