#include "publishers/log/resume_plan.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <utility>

#include "publishers/log/file_reader.h"
#include "publishers/log/open_file.h"
#include "publishers/log/rotated_files.h"

namespace weir {
namespace {

struct Id {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
};

std::optional<Id> id_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return Id{status.st_dev, status.st_ino};
}

// The path under which the state knows the file at `path`. Not for another file that was given its inode: what
// can't be opened now is taken for the same.
std::optional<std::string> known_path(const StateFile& state, const std::string& path, const Id& id) {
  const auto known = state.path_of(id.device, id.inode);
  if (!known) return std::nullopt;
  constexpr std::size_t kNoLine = 1;  // Nothing is read but what the position is compared with.
  auto file = OpenFile::open(path);
  const auto positions = state.positions(*known);
  const bool is_same =
      !file || std::any_of(positions.begin(), positions.end(), [&](const FilePosition& each) {
        return each.is_in(id.device, id.inode) && FileReader(file, kNoLine, {}).resume(each);
      });
  return is_same ? known : std::nullopt;
}

class Plan {
 public:
  Plan(const StateFile& state, const std::vector<std::string>& paths,
       const std::function<bool(const std::string&)>& is_followed,
       const std::function<bool(const std::string&)>& is_named)
      : state_(state), is_followed_(is_followed), is_named_(is_named) {
    for (const auto& path : paths) decisions_[path] = Decision::kOpen;
  }

  bool is_elsewhere(const std::string& path) {
    auto& decision = decisions_.at(path);
    if (decision == Decision::kOpen) {
      decision = Decision::kHere;  // Two paths that have changed their files don't wait for each other.
      if (decide(path)) decision = Decision::kElsewhere;
    }
    return decision == Decision::kElsewhere;
  }

 private:
  enum class Decision { kOpen, kHere, kElsewhere };

  bool decide(const std::string& path) {
    const auto id = is_named_(path) ? std::nullopt : id_of(path);
    if (!id || state_.has(path, id->device, id->inode)) return false;
    const auto other = known_path(state_, path, *id);
    if (!other) return false;
    const bool is_read = is_followed_(*other) || (decisions_.contains(*other) && !is_elsewhere(*other));
    if (!is_read) return false;
    const auto rotated = rotated_files(*other);
    return std::any_of(rotated.begin(), rotated.end(), [&](const RotatedFile& each) {
      return each.device == id->device && each.inode == id->inode;
    });
  }

  const StateFile& state_;
  const std::function<bool(const std::string&)>& is_followed_;
  const std::function<bool(const std::string&)>& is_named_;
  std::map<std::string, Decision> decisions_;
};

}  // namespace

std::vector<Resume> plan_resume(StateFile& state, const std::vector<std::string>& paths,
                                const std::function<bool(const std::string&)>& is_followed,
                                const std::function<bool(const std::string&)>& is_named) {
  Plan plan(state, paths, is_followed, is_named);
  std::vector<Resume> resumes(paths.size());
  std::vector<std::optional<FilePosition>> taken(paths.size());
  for (std::size_t i = 0; i < paths.size(); ++i) resumes[i].is_elsewhere = plan.is_elsewhere(paths[i]);
  // All of them first: what one path takes over is no position of another any more.
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (resumes[i].is_elsewhere || is_named(paths[i])) continue;
    const auto id = id_of(paths[i]);
    if (!id || state.has(paths[i], id->device, id->inode) || !known_path(state, paths[i], *id)) continue;
    taken[i] = state.take(id->device, id->inode);
  }
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (resumes[i].is_elsewhere) continue;
    resumes[i].positions = state.positions(paths[i]);
    if (taken[i]) resumes[i].positions.push_back(*std::move(taken[i]));
  }
  return resumes;
}

}  // namespace weir
