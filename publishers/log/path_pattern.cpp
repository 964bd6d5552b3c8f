#include "publishers/log/path_pattern.h"

#include <dirent.h>
#include <fnmatch.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

namespace weir {
namespace {

constexpr const char* kWildcards = "*?[";

bool has_wildcard_in(const std::string& text) { return text.find_first_of(kWildcards) != std::string::npos; }

bool exists(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

std::string join(const std::string& directory, const std::string& name) {
  if (directory.empty()) return name;
  return directory.back() == '/' ? directory + name : directory + "/" + name;
}

std::string without_backslashes(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    plain += text[i];
  }
  return plain;
}

// The names in `directory` that match `pattern`.
std::vector<std::string> read_names(const std::string& directory, const std::string& pattern,
                                    bool needs_folder, const PathPattern::Visitor& visitor) {
  const std::string path = directory.empty() ? "." : directory;
  std::vector<std::string> names;
  if (!visitor.enters(path)) return names;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), &::closedir);
  visitor.reads(path, folder ? 0 : errno);
  if (!folder) return names;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    const bool may_be_folder =
        entry->d_type == DT_DIR || entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN;
    if (needs_folder && !may_be_folder) continue;
    if (::fnmatch(pattern.c_str(), name.c_str(), FNM_PERIOD) == 0) names.push_back(name);
    if (names.size() >= PathPattern::kMatchesMax) break;
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

PathPattern::PathPattern(std::string text) : text_(std::move(text)) {
  for (std::size_t at = 0; at < text_.size();) {
    const auto end = std::min(text_.find('/', at), text_.size());
    if (end > at) parts_.push_back(text_.substr(at, end - at));
    at = end + 1;
  }
}

bool PathPattern::has_wildcard() const { return has_wildcard_in(text_); }

std::vector<std::string> PathPattern::expand(const Visitor& visitor) const {
  if (!has_wildcard()) return exists(text_) ? std::vector{text_} : std::vector<std::string>{};
  std::vector<std::string> paths;
  if (exists(text_)) paths.push_back(text_);
  expand(text_.front() == '/' ? "/" : "", 0, visitor, paths);
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  return paths;
}

void PathPattern::expand(const std::string& before, std::size_t part, const Visitor& visitor,
                         std::vector<std::string>& paths) const {
  std::string path = before;
  while (part < parts_.size() && !has_wildcard_in(parts_[part])) {
    path = join(path, without_backslashes(parts_[part++]));
  }
  if (part == parts_.size()) {
    if (exists(path)) paths.push_back(path);
    return;
  }
  const bool is_last = part + 1 == parts_.size();
  for (const auto& name : read_names(path, parts_[part], !is_last, visitor)) {
    if (paths.size() >= kMatchesMax) return;
    if (is_last) {
      paths.push_back(join(path, name));
    } else {
      expand(join(path, name), part + 1, visitor, paths);
    }
  }
}

}  // namespace weir
