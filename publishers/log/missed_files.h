// Finds what was written to a log while nobody looked.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "publishers/log/file_position.h"
#include "publishers/log/file_reader.h"
#include "publishers/log/rotated_files.h"

namespace weir {

// The rotated files of a log as they were when this was made, and readers of them. Nothing is found but files
// beside the log that are not compressed.
//
// Threads: one.
class MissedFiles {
 public:
  using MakeReader = std::function<std::unique_ptr<FileReader>(std::shared_ptr<const OpenFile>)>;
  // True if the file is being read, or was.
  using IsKnown = std::function<bool(std::uint64_t device, std::uint64_t inode)>;
  // True if the file begins as one that is being read, or was.
  using IsCopy = std::function<bool(const OpenFile& file)>;

  struct Found {
    std::unique_ptr<FileReader> reader;
    std::int64_t modified_ns = 0;
  };

  MissedFiles(const std::string& path, MakeReader make_reader, IsKnown is_known, IsCopy is_copy);

  // The file of `position`, which was renamed, from there on.
  std::optional<Found> find_file(const FilePosition& position) const;
  // The newest copy of the file of `position`, from there on. Besides the fingerprint it has the bytes `before`
  // up to `end`. None without a fingerprint: any file would do.
  std::optional<Found> find_copy(const FilePosition& position, std::uint64_t end,
                                 std::string_view before) const;
  // The files that were modified from `from_ns` to `to_ns` and are neither known nor copies, oldest first, from
  // their start.
  std::vector<std::unique_ptr<FileReader>> find_between(std::int64_t from_ns, std::int64_t to_ns) const;

 private:
  const std::vector<RotatedFile> files_;
  const MakeReader make_reader_;
  const IsKnown is_known_;
  const IsCopy is_copy_;
};

}  // namespace weir
