// A file, read in pieces, with its SHA-256.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>

#include "proto/result.h"

namespace weir {

// The most of a file that is kept in memory because its size is no truth (/proc, /sys, some FUSE).
inline constexpr std::size_t kSpooledBytesMax = 256 << 10;

// Holds the file open: if another file takes its name meanwhile, this one is still read. A file that says
// another size than it has is read to its end by open().
class FileSource {
 public:
  // The error is one line. Refuses anything but a regular file, since only that can be read twice, and a file
  // of untrue size that has more than kSpooledBytesMax.
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
  // False once the file is longer or shorter than at open(). Its times say nothing: `touch` changes them.
  bool has_its_size() const;

 private:
  FileSource(int fd, std::string path);

  // Each returns nullopt if it succeeded, else why not.
  std::optional<Error> take_size();
  std::optional<Error> spool();
  // True if the file ends where its size says.
  Result<bool> ends_at_its_size() const;
  Error failed_to_read() const;

  int fd_;
  std::string path_;
  std::string name_;
  std::uint64_t size_ = 0;
  std::optional<std::string> spooled_;  // The content of a file whose size is no truth.
};

}  // namespace weir
