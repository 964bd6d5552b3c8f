#include "publishers/file/file_sender.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/publishers/log_folder.h"

namespace weir {
namespace {

using Ending = Publisher::Ending;

struct Published {
  std::vector<std::string> payloads;
  std::vector<std::string> keys;
  std::vector<std::size_t> batches;                   // The number of payloads in each.
  std::size_t payload_bytes_max = std::string::npos;  // What the receiver takes.
  std::function<void()> on_publish = [] {};
};

class ListSink : public Sink {
 public:
  explicit ListSink(Published& published) : published_(published) {}
  BatchResult publish(const std::string&, const Messages& messages, const std::stop_token&,
                      const WhileWaiting& while_waiting) override {
    const auto payloads = messages.payloads();
    std::size_t taken = 0;
    while (taken < payloads.size() && payloads[taken].size() <= published_.payload_bytes_max) ++taken;
    published_.payloads.insert(published_.payloads.end(), payloads.begin(),
                               payloads.begin() + static_cast<std::ptrdiff_t>(taken));
    for (std::size_t i = 0; i < (messages.has_keys() ? taken : 0); ++i)
      published_.keys.emplace_back(messages.key(i));
    published_.batches.push_back(payloads.size());
    if (taken < payloads.size()) {
      return {.outcome = Outcome::kTooLarge, .confirmed = taken, .error = "too much"};
    }
    published_.on_publish();
    if (while_waiting) while_waiting();
    return {.confirmed = payloads.size(), .error = {}};
  }
  BatchResult publish_end(const std::string&, const std::string&, const std::stop_token&) override {
    return {.confirmed = 1, .error = {}};
  }

 private:
  Published& published_;
};

class FileSenderTest : public ::testing::Test {
 protected:
  FileSender::Sent send(FileSender::Options options) {
    options.rate = 0;
    return FileSender(publisher_, "file", options,
                      [&](std::uint64_t done, std::uint64_t total) { progress_.emplace_back(done, total); })
        .send(folder_.path(), stop_.get_token());
  }
  bool starts_with(std::size_t index, const std::string& start) const {
    return published_.payloads.at(index).starts_with(start);
  }

  LogFolder folder_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> progress_;
  Published published_;
  Publisher publisher_{std::make_unique<ListSink>(published_),
                       {.retry = std::chrono::seconds(0), .unknown = UnknownPolicy::kRepeat}};
  std::stop_source stop_;
};

TEST_F(FileSenderTest, EachMessageOfEachRoundHasAKeyThatAnotherRunGivesAgain) {
  folder_.append("abcde");
  const FileSender::Options options{.form = FileForm::kParts, .part_bytes = 2, .rounds = 2, .has_keys = true};
  const auto sent = send(options);
  auto all = published_.keys;
  all.push_back(sent.end_key);
  EXPECT_EQ(published_.keys.size(), published_.payloads.size());
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), 9U);
  EXPECT_TRUE(all[4].ends_with(":2:file")) << all[4];
  EXPECT_TRUE(all[7].ends_with(":2:2")) << all[7];
  const auto before = std::exchange(published_.keys, {});
  EXPECT_EQ(send(options).end_key, sent.end_key);
  EXPECT_EQ(published_.keys, before);
}

TEST_F(FileSenderTest, TheKeyNamesTheFileItsContentItsPartsAndTheRun) {
  folder_.append("abcde");
  std::set<std::string> keys;
  const auto add = [&](const FileSender::Options& options, const std::string& name = "log") {
    published_.keys.clear();
    FileSender(publisher_, "file", options).send(folder_.path(name), stop_.get_token());
    for (const auto& key : published_.keys) {
      EXPECT_TRUE(keys.insert(key).second) << key;
      EXPECT_LE(key.size(), 256U);
    }
  };
  add({.form = FileForm::kParts, .has_keys = true});
  add({.form = FileForm::kParts, .part_bytes = 2, .has_keys = true});
  add({.form = FileForm::kBuffer, .has_keys = true});
  add({.form = FileForm::kBuffer, .has_keys = true, .run = "1"});
  folder_.append("abcde", "other");
  add({.form = FileForm::kBuffer, .has_keys = true}, "other");
  folder_.append("f");
  add({.form = FileForm::kBuffer, .has_keys = true});
  EXPECT_EQ(keys.size(), 2U + 4U + 1U + 1U + 1U + 1U);
  add({.form = FileForm::kBuffer});
  EXPECT_TRUE(published_.keys.empty());
}

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

TEST_F(FileSenderTest, SendsPartsInWindows) {
  folder_.append(std::string(1'000'000, 'x'));
  EXPECT_EQ(send({.part_bytes = 1'000}).ending, Ending::kDone);
  EXPECT_EQ(published_.payloads.size(), 1'001U);
  ASSERT_GT(published_.batches.size(), 2U);
  EXPECT_EQ(published_.batches.front(), 1U) << "the description of the file";
  EXPECT_GT(published_.batches.at(1), 10U);
  EXPECT_LT(published_.batches.size(), 50U);
}

TEST_F(FileSenderTest, TellsHowFarItIsInAllRounds) {
  folder_.append("abcdef");
  EXPECT_EQ(send({.form = FileForm::kParts, .part_bytes = 3, .rounds = 2}).ending, Ending::kDone);
  ASSERT_GE(progress_.size(), 3U);
  EXPECT_EQ(progress_.front(), std::pair(std::uint64_t{0}, std::uint64_t{12}));
  EXPECT_EQ(progress_.back(), std::pair(std::uint64_t{12}, std::uint64_t{12}));
  EXPECT_TRUE(std::is_sorted(progress_.begin(), progress_.end()));
}

TEST_F(FileSenderTest, FailsIfTheFileGrowsOnTheWay) {
  folder_.append("abcdef");
  published_.on_publish = [&] { folder_.append("g"); };
  const auto sent = send({.form = FileForm::kParts, .part_bytes = 3});
  EXPECT_EQ(sent.ending, Ending::kGaveUp);
  EXPECT_EQ(sent.file_error, "log changed its size while it was being published: it had 6 bytes");
  EXPECT_EQ(published_.payloads.size(), 3U) << "the bytes that it had at first, and no more";
}

TEST_F(FileSenderTest, FailsIfBytesChangeOnTheWayThoughTimesAndSizeAreTheSame) {
  folder_.append("abcdef");
  struct stat before {};
  ASSERT_EQ(::stat(folder_.path().c_str(), &before), 0);
  published_.on_publish = [&] {
    std::fstream(folder_.path(), std::ios::in | std::ios::out) << "xyz";
    const timespec times[] = {before.st_atim, before.st_mtim};
    EXPECT_EQ(::utimensat(AT_FDCWD, folder_.path().c_str(), times, 0), 0);
  };
  const auto sent = send({.form = FileForm::kParts, .part_bytes = 300'000});
  EXPECT_EQ(sent.ending, Ending::kGaveUp);
  EXPECT_NE(sent.file_error.find("doesn't fit its sha256"), std::string::npos) << sent.file_error;
}

TEST_F(FileSenderTest, ATouchIsNoChange) {
  folder_.append("abcdef");
  published_.on_publish = [&] { ::utimensat(AT_FDCWD, folder_.path().c_str(), nullptr, 0); };
  const auto sent = send({.form = FileForm::kParts, .part_bytes = 3});
  EXPECT_EQ(sent.ending, Ending::kDone);
  EXPECT_EQ(sent.file_error, "");
}

TEST_F(FileSenderTest, FailsIfTheFileBecomesShorterOnTheWay) {
  folder_.append("abcdef");
  published_.on_publish = [&] { folder_.truncate(); };
  EXPECT_EQ(send({.form = FileForm::kParts, .part_bytes = 3}).ending, Ending::kGaveUp);
  EXPECT_EQ(published_.payloads.size(), 1U);
}

TEST_F(FileSenderTest, StopsBetweenWindows) {
  folder_.append(std::string(2 << 20, 'x'));
  published_.on_publish = [&] {
    if (published_.batches.size() == 2) stop_.request_stop();
  };
  EXPECT_EQ(send({.form = FileForm::kParts}).ending, Ending::kStopped);
  EXPECT_EQ(published_.batches.size(), 2U);
}

TEST_F(FileSenderTest, AStopEndsTheDigestOfAHugeFile) {
  folder_.append("");
  std::filesystem::resize_file(folder_.path(), 1ULL << 40);
  stop_.request_stop();
  EXPECT_EQ(send({.form = FileForm::kParts}).ending, Ending::kStopped);
  EXPECT_TRUE(published_.payloads.empty());
}

TEST_F(FileSenderTest, EndsAtAPartThatIsTooLargeForTheReceiver) {
  folder_.append("abcdefghi");
  published_.payload_bytes_max = 200;
  EXPECT_EQ(send({.form = FileForm::kParts, .part_bytes = 3}).ending, Ending::kDone);
  published_.payload_bytes_max = 10;
  const auto sent = send({});
  EXPECT_EQ(sent.ending, Ending::kTooLarge);
  EXPECT_EQ(sent.file_error, "") << "another attempt would not help";
}

TEST_F(FileSenderTest, SaysWhatIsWrongWithTheFile) {
  const auto sent = send({});
  EXPECT_EQ(sent.ending, Ending::kGaveUp);
  EXPECT_EQ(sent.file_error, "cannot open " + folder_.path().string() + ": No such file or directory");
}

}  // namespace
}  // namespace weir
