// A regular file, read in pieces, with its SHA-256.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <stop_token>
#include <string>

#include "proto/result.h"

namespace weir {

// Holds the file open: if another file takes its name meanwhile, this one is still read.
class FileSource {
 public:
  // The error is one line. Refuses anything but a regular file, since only that can be read twice.
  static Result<FileSource> open(const std::string& path);
  FileSource(FileSource&& other) noexcept;
  FileSource& operator=(FileSource&&) = delete;
  ~FileSource();

  const std::string& name() const { return name_; }  // Without folders.
  std::uint64_t size() const { return size_; }       // At the time of open().

  // Returns `count` bytes from `offset`, fewer only at the end that the file had at open(). An error if the
  // file is shorter now.
  Result<std::string> read(std::uint64_t offset, std::size_t count) const;
  // The digest of the whole file, in constant memory. If a stop is requested meanwhile, only of a part.
  Result<std::string> sha256(const std::stop_token& stop) const;
  // False once the file was written to.
  bool is_unchanged() const;

 private:
  FileSource(int fd, std::string path);

  int fd_;
  std::string path_;
  std::string name_;
  std::uint64_t size_ = 0;
  timespec modified_{};
};

}  // namespace weir
