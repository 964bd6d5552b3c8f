#include "publishers/log/resume_plan.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <set>
#include <utility>

#include "tests/unit/publishers/log_folder.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ResumePlan : public ::testing::Test {
 protected:
  ResumePlan() : state_(std::move(*StateFile::open(folder_.path("state").string()))) {}

  // Makes a file that an earlier run has read under that name, up to `offset`. It began with `head` then.
  void was_read(const std::string& name, std::uint64_t offset, const std::string& head = "") {
    folder_.append(name, name);
    struct stat status {};
    ASSERT_EQ(::stat(path(name).c_str(), &status), 0);
    state_->update(path(name), {{.device = status.st_dev,
                                 .inode = status.st_ino,
                                 .offset = offset,
                                 .fingerprint = fingerprint_of(head.empty() ? name : head)}});
  }
  std::string path(const std::string& name) const { return folder_.path(name).string(); }
  // Of each name the offsets at which it goes on; "elsewhere" is -1.
  std::vector<std::vector<int>> plan(const std::vector<std::string>& names) {
    std::vector<std::string> paths;
    for (const auto& name : names) paths.push_back(path(name));
    const auto resumes = plan_resume(
        *state_, paths, [this](const std::string& each) { return followed_.contains(each); },
        [this](const std::string& each) { return named_.contains(each); });
    std::vector<std::vector<int>> offsets;
    for (const auto& resume : resumes) {
      auto& of_one = offsets.emplace_back();
      if (resume.is_elsewhere) of_one.push_back(-1);
      for (const auto& position : resume.positions) of_one.push_back(static_cast<int>(position.offset));
    }
    return offsets;
  }

  LogFolder folder_;
  std::unique_ptr<StateFile> state_;
  std::set<std::string> followed_;
  std::set<std::string> named_;
};

const std::vector<int> kElsewhere{-1};

TEST_F(ResumePlan, GoesOnAtEachPath) {
  was_read("a.log", 3);
  was_read("b.log", 4);
  folder_.append("new", "c.log");
  EXPECT_THAT(plan({"a.log", "b.log", "c.log", "none.log"}),
              ElementsAre(ElementsAre(3), ElementsAre(4), IsEmpty(), IsEmpty()));
}

TEST_F(ResumePlan, LeavesARotatedFileToItsLog) {
  was_read("app.log", 3);
  folder_.rename("app.log", "app.log.1");
  folder_.append("new", "app.log");
  EXPECT_THAT(plan({"app.log", "app.log.1"}), ElementsAre(ElementsAre(3), kElsewhere));
}

TEST_F(ResumePlan, LeavesItToALogThatIsFollowedAlready) {
  was_read("app.log", 3);
  folder_.rename("app.log", "app.log.1");
  followed_ = {path("app.log")};
  EXPECT_THAT(plan({"app.log.1"}), ElementsAre(kElsewhere));
}

// app.log.1 was followed for itself. Its new file belongs to app.log, so nobody would go on with its old one.
TEST_F(ResumePlan, LeavesNoFileOfAChainWithoutAReader) {
  was_read("app.log", 3);
  was_read("app.log.1", 4);
  folder_.rename("app.log.1", "app.log.2");
  folder_.rename("app.log", "app.log.1");
  folder_.append("new", "app.log");
  EXPECT_THAT(plan({"app.log", "app.log.1", "app.log.2"}),
              ElementsAre(ElementsAre(3), kElsewhere, ElementsAre(4)));
  EXPECT_THAT(state_->positions(path("app.log.1")), IsEmpty());
}

TEST_F(ResumePlan, TakesOverAFileWhosePathIsGone) {
  was_read("app.log", 3);
  folder_.rename("app.log", "app.log.1");
  EXPECT_THAT(plan({"app.log.1"}), ElementsAre(ElementsAre(3)));
}

// Nobody looks for a rotated file under such a name.
TEST_F(ResumePlan, TakesOverAFileThatItsLogDoesNotFind) {
  was_read("app.log", 3);
  folder_.rename("app.log", "saved.log");
  folder_.append("new", "app.log");
  EXPECT_THAT(plan({"app.log", "saved.log"}), ElementsAre(IsEmpty(), ElementsAre(3)));
}

TEST_F(ResumePlan, FollowsTwoFilesThatHaveChangedTheirNames) {
  was_read("a.log", 3);
  was_read("b.log", 4);
  folder_.rename("a.log", "c.log");
  folder_.rename("b.log", "a.log");
  folder_.rename("c.log", "b.log");
  EXPECT_THAT(plan({"a.log", "b.log"}), ElementsAre(ElementsAre(4), ElementsAre(3)));
}

// The file that was read is gone, and a new one was given its inode: before and after it became a rotated one.
TEST_F(ResumePlan, TakesAFileWithAnInodeOfBeforeForANewOne) {
  was_read("app.log", 3, "of before");
  folder_.rename("app.log", "app.log.1");
  folder_.append("new", "app.log");
  EXPECT_THAT(plan({"app.log", "app.log.1"}), ElementsAre(ElementsAre(3), IsEmpty()));
  folder_.rename("app.log.1", "b.log");
  EXPECT_THAT(plan({"b.log"}), ElementsAre(IsEmpty()));
}

TEST_F(ResumePlan, GivesAPathThatWasNamedItsOwnPositions) {
  was_read("app.log", 3);
  was_read("app.log.1", 4);
  folder_.rename("app.log", "app.log.1");
  named_ = {path("app.log"), path("app.log.1")};
  EXPECT_THAT(plan({"app.log", "app.log.1"}), ElementsAre(ElementsAre(3), ElementsAre(4)));
}

}  // namespace
}  // namespace weir
