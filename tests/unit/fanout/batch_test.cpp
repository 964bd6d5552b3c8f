#include "broker/fanout/batch.h"

#include <gtest/gtest.h>

#include <set>

namespace weir {
namespace {

class BatchTest : public ::testing::Test {
 protected:
  FramePtr frame(const std::string& data, bool has_retry = false) {
    Message message;
    message.data = data;
    if (has_retry) message.retry = std::chrono::seconds(5);
    return Frame::of_message(message, "news", "gepoch000.1", std::make_shared<FrameBytes>());
  }
  Batch batch_;
};

TEST_F(BatchTest, IsTheBytesOfItsFramesInARow) {
  const auto a = frame("a");
  const auto b = frame("b");
  batch_.add(*a, {}, "news");
  batch_.add(*b, {}, "news");
  EXPECT_EQ(batch_.bytes(),
            std::string(a->chunk(Form::kChannel, "news")) + std::string(b->chunk(Form::kChannel, "news")));
  EXPECT_EQ(batch_.frames(), 2U);
}

TEST_F(BatchTest, WithoutChunksItIsTheBlocks) {
  const auto a = frame("a");
  batch_.add(*a, {Form::kChannel, false}, "news");
  EXPECT_EQ(batch_.bytes(), "data: a\nid: gepoch000.1\n\n");
}

TEST_F(BatchTest, FindsTheFrameThatAByteLiesIn) {
  const auto a = frame("a");
  const auto b = frame("bb");
  batch_.add(*a, {}, "news");
  batch_.add(*b, {}, "news");
  EXPECT_EQ(batch_.frame_at(0), 0U);
  EXPECT_EQ(batch_.frame_at(a->bytes() - 1), 0U);
  EXPECT_EQ(batch_.frame_at(a->bytes()), 1U);
  EXPECT_EQ(batch_.begin_of(1), a->bytes());
  EXPECT_EQ(batch_.end_of(1), batch_.bytes().size());
}

TEST_F(BatchTest, SendsALargeLoneFrameFromWhereItIs) {
  const auto large = frame(std::string(kBatchBytes, 'x'));
  batch_.add(*large, {}, "news");
  EXPECT_EQ(batch_.bytes().data(), large->chunk(Form::kChannel, "news").data());
  const auto small = frame("small");
  batch_.add(*small, {}, "news");
  EXPECT_EQ(batch_.bytes().size(), large->bytes() + small->bytes());
}

TEST_F(BatchTest, GivesEachClientARetryOfItsOwnWithoutMovingAByte) {
  const auto with = frame("x", true);
  for (const bool is_chunked : {true, false}) {
    batch_.clear();
    batch_.add(*with, {Form::kChannel, is_chunked}, "news");
    std::set<std::string> seen;
    const auto size = batch_.bytes().size();
    for (std::uint32_t jitter : {0U, 20'000U, 40'000U, 65'535U}) {
      batch_.write_retries(jitter);
      const auto bytes = std::string(batch_.bytes());
      const int retry = std::stoi(bytes.substr(bytes.find("retry: ") + 7, kRetryDigits));
      EXPECT_GE(retry, 5'000);
      EXPECT_LE(retry, 10'000);
      seen.insert(bytes);
      EXPECT_EQ(bytes.size(), size);
    }
    EXPECT_EQ(seen.size(), 4U);
  }
}

}  // namespace
}  // namespace weir
