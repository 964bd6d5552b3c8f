#include "publishers/log/state_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "tests/unit/publishers/log_folder.h"

namespace weir {
namespace {

using Positions = std::vector<FilePosition>;

FilePosition at(std::uint64_t offset, std::uint64_t inode = 7) {
  return {.device = 1, .inode = inode, .offset = offset, .fingerprint = fingerprint_of("head")};
}

class StateFileTest : public ::testing::Test {
 protected:
  std::unique_ptr<StateFile> open() const {
    auto state = StateFile::open(path());
    if (!state) {
      ADD_FAILURE() << state.error().message;
      return nullptr;
    }
    return std::move(*state);
  }
  // The mistake that open() names, without the path.
  std::string refusal() const {
    auto state = StateFile::open(path());
    return state ? "" : state.error().message.substr(path().size() + 4);
  }
  // The bytes of the file, as another process would find them now.
  std::string content() const {
    std::ifstream file(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(const std::string& text) const {
    std::ofstream file(path(), std::ios::binary | std::ios::trunc);
    file << text;
  }
  // A state with one line that is as given.
  void open_and_break(const std::string& line) const {
    write("");
    open();
    folder_.append(line + "\n", "state");
  }
  std::string path() const { return folder_.path("state").string(); }

  LogFolder folder_;
};

TEST_F(StateFileTest, BeginsEmpty) {
  EXPECT_EQ(open()->positions("/log"), Positions{});
  write("");
  EXPECT_EQ(open()->positions("/log"), Positions{});
}

TEST_F(StateFileTest, KeepsThePositionsOfEachPath) {
  const Positions a{at(10, 1), at(18'446'744'073'709'551'615U, 2)};
  const Positions b{at(0, 3)};
  {
    const auto state = open();
    state->update("/a \"b\"\n", a);
    state->update("/b", b);
  }
  const auto state = open();
  EXPECT_EQ(state->positions("/a \"b\"\n"), a);
  EXPECT_EQ(state->positions("/b"), b);
  EXPECT_TRUE(state->has("/b", 1, 3));
  EXPECT_FALSE(state->has("/b", 1, 10));
  EXPECT_EQ(state->path_of(1, 3), "/b");
  EXPECT_EQ(state->path_of(1, 4), std::nullopt);
  state->forget("/b");
  EXPECT_EQ(state->positions("/b"), Positions{});
}

TEST_F(StateFileTest, KeepsTheLivesOfFiles) {
  auto first = at(10, 1);
  first.life = 18'446'744'073'709'551'615U;
  auto second = at(10, 2);
  second.life = 7;
  {
    const auto state = open();
    state->update("/a", {first});
    EXPECT_TRUE(state->has_lives("/a", {first}));
    EXPECT_FALSE(state->has_lives("/a", {first, second}));
    EXPECT_FALSE(state->has_lives("/b", {first}));
    auto truncated = first;
    truncated.life = 8;
    truncated.offset = 20;
    EXPECT_FALSE(state->has_lives("/a", {truncated}));
    state->update("/a", {truncated});
    EXPECT_TRUE(state->has_lives("/a", {truncated}));
    state->update("/a", {first, second});
  }
  EXPECT_EQ(open()->positions("/a"), (Positions{first, second}));
}

TEST_F(StateFileTest, GivesAPositionAway) {
  {
    const auto state = open();
    state->update("/a", {at(10, 1), at(20, 2)});
    state->update("/b", {at(30, 3)});
    EXPECT_EQ(state->take(1, 2), at(20, 2));
    EXPECT_EQ(state->take(1, 3), at(30, 3));
    EXPECT_EQ(state->take(1, 3), std::nullopt);
    state->sync();
  }
  const auto state = open();
  EXPECT_EQ(state->positions("/a"), Positions{at(10, 1)});
  EXPECT_EQ(state->positions("/b"), Positions{});
}

// Without sync() or an orderly end: as after kill -9.
TEST_F(StateFileTest, HoldsEachUpdateAtOnce) {
  const auto state = open();
  for (const std::uint64_t offset : {0, 1, 500, 70'000}) {
    state->update("/log", {at(offset)});
    const std::string killed = content();
    LogFolder other;
    std::ofstream(other.path("state"), std::ios::binary) << killed;
    auto next = StateFile::open(other.path("state").string());
    ASSERT_TRUE(next) << next.error().message;
    EXPECT_EQ((*next)->positions("/log"), Positions{at(offset)});
  }
}

TEST_F(StateFileTest, WritesPathsThatAreBegunWithTheNextSync) {
  const auto state = open();
  const std::string before = content();
  state->begin("/a", {at(1)});
  state->begin("/b", {at(2)});
  EXPECT_EQ(content(), before);
  EXPECT_FALSE(state->is_empty());
  state->update("/b", {at(3)});
  EXPECT_NE(content().find("\"/a\""), std::string::npos) << "One write has all of them.";
  state->begin("/c", {at(4)});
  state->sync();
  EXPECT_NE(content().find("\"/c\""), std::string::npos);
  EXPECT_EQ(state->positions("/b"), Positions{at(3)});
}

TEST_F(StateFileTest, WritesANewOffsetInPlaceWithinOneSector) {
  const auto state = open();
  for (int i = 0; i < 40; ++i) state->update("/log/" + std::string(i * 7, 'x'), {at(1)});
  struct stat before {};
  ASSERT_EQ(::stat(path().c_str(), &before), 0);
  state->update("/log/", {at(2)});
  struct stat after {};
  ASSERT_EQ(::stat(path().c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
  const std::string text = content();
  std::size_t lines = 0;
  for (auto field = text.find("{\"offset\":"); field != std::string::npos;
       field = text.find("{\"offset\":", field + 1)) {
    ++lines;
    EXPECT_EQ(field % 64, 0U);
    EXPECT_LE(field % 512 + 30, 512U);
  }
  EXPECT_EQ(lines, 40U);
}

TEST_F(StateFileTest, KeepsALongerFingerprintFromTheNextSyncOn) {
  auto longer = at(20);
  longer.fingerprint = fingerprint_of("head of a file");
  {
    const auto state = open();
    state->update("/log", {at(10)});
    state->update("/log", {longer});
    state->sync();
  }
  EXPECT_EQ(open()->positions("/log"), Positions{longer});
}

TEST_F(StateFileTest, KeepsTheNewestFilesOfAPath) {
  Positions many;
  for (std::uint64_t i = 0; i < 100; ++i) many.push_back(at(1, i));
  open()->update("/log", many);
  const auto kept = open()->positions("/log");
  ASSERT_EQ(kept.size(), StateFile::kPositionsMax);
  EXPECT_EQ(kept.back(), many.back());
}

TEST_F(StateFileTest, RefusesWhatIsNoState) {
  write("hello\n");
  EXPECT_EQ(refusal(), "line 1: is no state of this version of weir-publish-log");
  open_and_break("{\"offset\":1,\"path\":\"/log\",\"colour\":2}");
  EXPECT_EQ(refusal(), "line 2: unknown field \"colour\"");
  open_and_break("{\"offset\":-1,\"path\":\"/log\"}");
  EXPECT_EQ(refusal(), "line 2: the field \"offset\" has a wrong value");
  open_and_break("{\"offset\":1");
  EXPECT_EQ(refusal(), "line 2: is no JSON object");
  open_and_break("{\"offset\":1}");
  EXPECT_EQ(refusal(), "line 2: has no path or no offset");
  folder_.remove("state");
  std::filesystem::create_directory(path());
  EXPECT_EQ(refusal(), "Is a directory");
}

TEST_F(StateFileTest, RefusesASecondProgram) {
  const auto first = open();
  EXPECT_EQ(refusal(), "another program uses it as its state");
  first->update("/log", {at(1)});  // Replaces the file.
  EXPECT_EQ(refusal(), "another program uses it as its state");
}

TEST_F(StateFileTest, IgnoresAHalfWrittenNewFile) {
  open()->update("/log", {at(1)});
  folder_.append("{\"off", "state.new");
  EXPECT_EQ(open()->positions("/log"), Positions{at(1)});
}

TEST_F(StateFileTest, GoesOnAndTriesAgainWhenItCannotBeWritten) {
  const auto state = open();
  std::filesystem::create_directory(folder_.path("state.new"));
  folder_.append("", "state.new/in-the-way");
  state->update("/log", {at(1)});
  EXPECT_EQ(state->positions("/log"), Positions{at(1)});
  std::filesystem::remove_all(folder_.path("state.new"));
  state->sync();
  EXPECT_NE(content().find("/log"), std::string::npos);
}

}  // namespace
}  // namespace weir
