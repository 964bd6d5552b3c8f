#include "publishers/log/missed_files.h"

#include <unistd.h>

#include <utility>

namespace weir {
namespace {

// True if the file has `bytes` before `end`.
bool has_before(const OpenFile& file, std::uint64_t end, std::string_view bytes) {
  std::string found(bytes.size(), '\0');
  const auto size = ::pread(file.fd(), found.data(), found.size(), static_cast<off_t>(end - bytes.size()));
  return size == static_cast<ssize_t>(bytes.size()) && found == bytes;
}

}  // namespace

MissedFiles::MissedFiles(const std::string& path, MakeReader make_reader, IsKnown is_known, IsCopy is_copy)
    : files_(rotated_files(path)),
      make_reader_(std::move(make_reader)),
      is_known_(std::move(is_known)),
      is_copy_(std::move(is_copy)) {}

std::optional<MissedFiles::Found> MissedFiles::find_file(const FilePosition& position) const {
  for (const auto& each : files_) {
    if (!position.is_in(each.device, each.inode)) continue;
    auto file = OpenFile::open(each.path);
    if (!file) continue;
    auto reader = make_reader_(std::move(file));
    const auto here = reader->position();
    if (!position.is_in(here.device, here.inode) || !reader->resume(position)) continue;
    return Found{std::move(reader), each.modified_ns};
  }
  return std::nullopt;
}

std::optional<MissedFiles::Found> MissedFiles::find_copy(const FilePosition& position, std::uint64_t end,
                                                         std::string_view before) const {
  if (position.fingerprint.empty()) return std::nullopt;
  for (auto each = files_.rbegin(); each != files_.rend(); ++each) {
    if (position.is_in(each->device, each->inode) || is_known_(each->device, each->inode)) continue;
    auto file = OpenFile::open(each->path);
    if (!file || !has_before(*file, end, before)) continue;
    auto reader = make_reader_(std::move(file));
    if (reader->resume(position)) return Found{std::move(reader), each->modified_ns};
  }
  return std::nullopt;
}

std::vector<std::unique_ptr<FileReader>> MissedFiles::find_between(std::int64_t from_ns,
                                                                   std::int64_t to_ns) const {
  std::vector<std::unique_ptr<FileReader>> readers;
  for (const auto& each : files_) {
    if (each.modified_ns < from_ns || each.modified_ns > to_ns || is_known_(each.device, each.inode))
      continue;
    auto file = OpenFile::open(each.path);
    if (file && !is_copy_(*file)) readers.push_back(make_reader_(std::move(file)));
  }
  return readers;
}

}  // namespace weir
