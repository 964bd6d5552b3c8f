#include "publishers/file/file_sender.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "tests/unit/publishers/log_folder.h"

namespace weir {
namespace {

using Ending = Publisher::Ending;

struct Published {
  std::vector<std::string> payloads;
  std::function<void()> on_publish = [] {};
};

class ListSink : public Sink {
 public:
  explicit ListSink(Published& published) : published_(published) {}
  BatchResult publish(const std::string&, std::span<const std::string> payloads, const std::stop_token&,
                      const WhileWaiting&) override {
    published_.payloads.insert(published_.payloads.end(), payloads.begin(), payloads.end());
    published_.on_publish();
    return {.confirmed = payloads.size(), .error = {}};
  }
  BatchResult publish_end(const std::string&, const std::stop_token&) override {
    return {.confirmed = 1, .error = {}};
  }

 private:
  Published& published_;
};

class FileSenderTest : public ::testing::Test {
 protected:
  FileSender::Sent send(FileSender::Options options) {
    options.rate = 0;
    return FileSender(publisher_, "file", options).send(folder_.path(), stop_.get_token());
  }
  bool starts_with(std::size_t index, const std::string& start) const {
    return published_.payloads.at(index).starts_with(start);
  }

  LogFolder folder_;
  Published published_;
  Publisher publisher_{std::make_unique<ListSink>(published_),
                       {.retry = std::chrono::seconds(0), .unknown = UnknownPolicy::kRepeat}};
  std::stop_source stop_;
};

TEST_F(FileSenderTest, SendsASmallFileAsABuffer) {
  folder_.append("ab");
  const auto sent = send({});
  EXPECT_EQ(sent.ending, Ending::kDone);
  EXPECT_FALSE(sent.in_parts);
  EXPECT_EQ(published_.payloads, std::vector<std::string>{R"({"msg":{"type":"Buffer","data":[97,98]}})"});
}

TEST_F(FileSenderTest, SendsALargeFileInParts) {
  folder_.append(std::string((256 << 10) + 1, 'x'));
  const auto sent = send({});
  EXPECT_TRUE(sent.in_parts);
  ASSERT_EQ(published_.payloads.size(), 7U);
  EXPECT_TRUE(starts_with(0, R"({"type":"file","data":{"name":"log","size":262145,)"));
  EXPECT_TRUE(starts_with(1, R"({"type":"part","data":{"n":0,"offset":0,)"));
  EXPECT_TRUE(starts_with(6, R"({"type":"part","data":{"n":5,"offset":245760,)"));
}

TEST_F(FileSenderTest, SendsTheLargestFileThatFitsAsABuffer) {
  folder_.append(std::string(256 << 10, 'x'));
  EXPECT_FALSE(send({}).in_parts);
  EXPECT_EQ(published_.payloads.size(), 1U);
}

TEST_F(FileSenderTest, RefusesABufferThatIsTooLarge) {
  folder_.append(std::string((256 << 10) + 1, 'x'));
  EXPECT_EQ(send({.form = FileForm::kBuffer}).ending, Ending::kGaveUp);
  EXPECT_TRUE(published_.payloads.empty());
}

TEST_F(FileSenderTest, SendsNoPartsOfAnEmptyFile) {
  folder_.append("");
  EXPECT_EQ(send({.form = FileForm::kParts}).ending, Ending::kDone);
  ASSERT_EQ(published_.payloads.size(), 1U);
  EXPECT_NE(published_.payloads[0].find(R"("size":0,)"), std::string::npos);
  EXPECT_NE(published_.payloads[0].find(R"("parts":0}})"), std::string::npos);
}

TEST_F(FileSenderTest, SendsTheSameInEachRound) {
  folder_.append("abcdef");
  EXPECT_EQ(send({.form = FileForm::kParts, .part_bytes = 3, .rounds = 2}).ending, Ending::kDone);
  ASSERT_EQ(published_.payloads.size(), 6U);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(published_.payloads[i], published_.payloads[i + 3]);
}

TEST_F(FileSenderTest, FailsIfTheFileIsWrittenToOnTheWay) {
  folder_.append("abcdef");
  published_.on_publish = [&] { folder_.append("g"); };
  EXPECT_EQ(send({.form = FileForm::kParts, .part_bytes = 3}).ending, Ending::kGaveUp);
}

TEST_F(FileSenderTest, FailsIfTheFileBecomesShorterOnTheWay) {
  folder_.append("abcdef");
  published_.on_publish = [&] { folder_.truncate(); };
  EXPECT_EQ(send({.form = FileForm::kParts, .part_bytes = 3}).ending, Ending::kGaveUp);
  EXPECT_EQ(published_.payloads.size(), 1U);
}

TEST_F(FileSenderTest, StopsBetweenParts) {
  folder_.append("abcdef");
  published_.on_publish = [&] {
    if (published_.payloads.size() == 2) stop_.request_stop();
  };
  EXPECT_EQ(send({.form = FileForm::kParts, .part_bytes = 1}).ending, Ending::kStopped);
  EXPECT_EQ(published_.payloads.size(), 2U);
}

TEST_F(FileSenderTest, FailsWithoutAFile) { EXPECT_EQ(send({}).ending, Ending::kGaveUp); }

}  // namespace
}  // namespace weir
