#include "publishers/log/rotated_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace weir {
namespace {

namespace fs = std::filesystem;

// A number, a date or a time, with the separator before it; or a word for what was there before.
bool is_mark(std::string_view text) {
  if (text.size() < 2 || std::string_view("._-").find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  if (text == "old" || text == "bak" || text == "prev") return true;
  return text.find_first_not_of("0123456789._-:TZ") == std::string_view::npos &&
         text.find_first_of("0123456789") != std::string_view::npos;
}

void add_siblings(const fs::path& path, std::vector<RotatedFile>& files) {
  const std::string log = path.filename().string();
  const fs::path directory = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    if (!is_rotated_name(it->path().filename().string(), log)) continue;
    struct stat status {};
    if (::lstat(it->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    files.push_back({it->path().string(), status.st_dev, status.st_ino,
                     std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec});
  }
}

}  // namespace

bool is_rotated_name(std::string_view name, std::string_view log) {
  if (name.starts_with(log)) return is_mark(name.substr(log.size()));
  const auto dot = log.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return false;
  const auto stem = log.substr(0, dot);
  const auto extension = log.substr(dot);
  if (name.size() <= log.size() || !name.starts_with(stem) || !name.ends_with(extension)) return false;
  return is_mark(name.substr(stem.size(), name.size() - log.size()));
}

std::vector<RotatedFile> rotated_files(const std::string& path) {
  std::vector<RotatedFile> files;
  add_siblings(path, files);
  std::error_code error;
  if (fs::is_symlink(path, error)) {
    const auto real = fs::canonical(path, error);
    if (!error) add_siblings(real, files);
  }
  const auto is_older = [](const RotatedFile& a, const RotatedFile& b) {
    return a.modified_ns != b.modified_ns ? a.modified_ns < b.modified_ns : a.path > b.path;
  };
  std::sort(files.begin(), files.end(), is_older);
  if (files.size() > kRotatedFilesMax) files.erase(files.begin(), files.end() - kRotatedFilesMax);
  return files;
}

}  // namespace weir
