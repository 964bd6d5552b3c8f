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

class StreamFrameTest : public FrameTest {
 protected:
  static constexpr StreamId kId{1'000, 7};

  FramePtr entry_of(const std::string& own_id, bool is_end = false) {
    Message message = is_end ? end_message() : message_of("hello", "price");
    message.id = own_id;
    message.time = 1'700'000'000'123;
    return Frame::of_entry(message, "news", kId, counter_);
  }
  std::string id_in(const FramePtr& frame, Form form = Form::kChannel) {
    return decode_block(block_of_chunk(frame->chunk(form, "news"))).id;
  }
  FramePtr with_id(const FramePtr& frame, const std::string& id, Form form = Form::kEvents) {
    return Frame::with_id(*frame, form, "news", id, counter_);
  }
};

TEST_F(StreamFrameTest, HasItsIdInTheStreamAndThePublishersOwn) {
  EXPECT_EQ(id_in(entry_of("")), "1000-7");
  EXPECT_EQ(id_in(entry_of("own")), "1000-7~own");
  EXPECT_EQ(id_in(entry_of("own", true)), "1000-7~own~end");
  EXPECT_EQ(entry_of("")->stream_id(), kId);
  EXPECT_EQ(entry_of("", true)->kind(), FrameKind::kEnd);
}

TEST_F(StreamFrameTest, IsGivenAnotherPositionForOneClient) {
  const FramePtr entry = entry_of("own");
  const FramePtr changed = with_id(entry, "cAAAA");
  EXPECT_EQ(id_in(changed, Form::kEvents), "cAAAA~own");
  EXPECT_EQ(id_in(entry), "1000-7~own") << "everybody else's stays";
  EXPECT_EQ(changed->stream_id(), kId);
  EXPECT_EQ(changed->kind(), FrameKind::kMessage);
  const DecodedEvent event = decode_block(block_of_chunk(changed->chunk(Form::kEvents, "news")));
  EXPECT_EQ(event.type, "news/price");
  EXPECT_EQ(event.data, "hello");
}

TEST_F(StreamFrameTest, OfAnEndIsStillTheEndWithAnotherPosition) {
  const FramePtr changed = with_id(entry_of("own", true), "cAAAA");
  EXPECT_EQ(id_in(changed, Form::kEvents), "cAAAA~own~end");
  EXPECT_EQ(changed->kind(), FrameKind::kEnd);
}

TEST_F(StreamFrameTest, LosesThePublishersIdWhereBothAreTooLong) {
  const std::string own_id(64, 'o');
  const std::string longest(kEventIdBytesMax - own_id.size() - 1, 'c');
  EXPECT_EQ(id_in(with_id(entry_of(own_id), longest), Form::kEvents), longest + "~" + own_id);
  EXPECT_EQ(id_in(with_id(entry_of(own_id), longest + "c"), Form::kEvents), longest + "c");
}

TEST_F(StreamFrameTest, IsGivenAnotherPositionInEachForm) {
  EXPECT_EQ(id_in(with_id(entry_of("own"), "cAAAA", Form::kChannel)), "cAAAA~own");
  const std::string json(
      block_of_chunk(with_id(entry_of("own"), "cAAAA", Form::kJson)->chunk(Form::kJson, "news")));
  EXPECT_EQ(decode_block(json).id, "cAAAA~own");
  EXPECT_EQ(decode_block(json).data,
            R"({"channel":"news","type":"price","id":"1000-7~own","time":1700000000123,"data":"hello"})")
      << "What it is does not depend on who else a client follows.";
}

TEST_F(StreamFrameTest, KeepsItsDataWhenItIsGivenAPositionTwice) {
  const FramePtr once = with_id(entry_of("own"), "cAAAA", Form::kJson);
  const FramePtr twice = with_id(once, "cBBBB", Form::kJson);
  const auto event_of = [](const FramePtr& frame) {
    return decode_block(block_of_chunk(frame->chunk(Form::kJson, "news")));
  };
  EXPECT_EQ(event_of(twice).id, "cBBBB~own");
  EXPECT_EQ(event_of(twice).data, event_of(once).data);
}

TEST_F(StreamFrameTest, HasItsTimeInTheJsonFormAlone) {
  const FramePtr entry = entry_of("");
  EXPECT_NE(entry->chunk(Form::kJson, "news").find("\"time\":1700000000123,"), std::string_view::npos);
  EXPECT_EQ(entry->chunk(Form::kChannel, "news").find("1700000000123"), std::string_view::npos);
  EXPECT_EQ(entry->chunk(Form::kEvents, "news").find("1700000000123"), std::string_view::npos);
  EXPECT_EQ(entry_of("", true)->chunk(Form::kJson, "news").find("1700000000123"), std::string_view::npos);
}

TEST_F(StreamFrameTest, OfAGapIsGivenAnotherPosition) {
  const FramePtr gap = Frame::of_gap("news", 3, GapReason::kHistory, "1000-7", counter_, kId);
  const FramePtr changed = with_id(gap, "cAAAA");
  const std::string_view block = block_of_chunk(changed->chunk(Form::kEvents, "news"));
  EXPECT_TRUE(block.ends_with("\n\nid: cAAAA\n\n")) << block;
  EXPECT_EQ(block.find("1000-7"), std::string_view::npos) << block;
  EXPECT_EQ(changed->gap_missed(), 3U);
  EXPECT_EQ(changed->gap_reason(), GapReason::kHistory);
}

TEST_F(StreamFrameTest, WithoutAnIdGetsNone) {
  const FramePtr passing = Frame::of_passing(message_of("id: 1\nid: 2"), "news", kId, counter_);
  const FramePtr changed = with_id(passing, "cAAAA");
  EXPECT_EQ(id_in(changed, Form::kEvents), "");
  EXPECT_EQ(decode_block(block_of_chunk(changed->chunk(Form::kEvents, "news"))).data, "id: 1\nid: 2");
  EXPECT_EQ(passing->stream_id(), kId);
  EXPECT_EQ(passing->kind(), FrameKind::kPassing);
}

TEST_F(StreamFrameTest, KeepsItsRetryWithAnotherPosition) {
  Message message = message_of("x");
  message.retry = std::chrono::seconds(3);
  const FramePtr changed = with_id(Frame::of_entry(message, "news", kId, counter_), "cAAAA");
  ASSERT_TRUE(changed->has_retry());
  const std::string_view chunk = changed->chunk(Form::kEvents, "news");
  EXPECT_EQ(chunk.substr(Frame::retry_offset(chunk), kRetryDigits), "03000");
}

TEST_F(StreamFrameTest, IsCountedWithAllThatWasMadeOfIt) {
  {
    const FramePtr entry = entry_of("own");
    const FramePtr changed = with_id(entry, "cAAAA");
    EXPECT_EQ(counter_->total(), entry->held_bytes() + changed->held_bytes());
    entry->enter_log();
    EXPECT_EQ(counter_->logged(), entry->held_bytes());
    entry->leave_log();
    entry->enter_log();
    EXPECT_EQ(counter_->logged(), entry->held_bytes()) << "in turn, any number of times";
  }
  EXPECT_EQ(counter_->logged(), 0U);
  EXPECT_EQ(counter_->total(), 0U);
}

}  // namespace
}  // namespace weir
