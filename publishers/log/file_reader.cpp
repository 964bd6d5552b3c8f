#include "publishers/log/file_reader.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

namespace weir {
namespace {

constexpr std::size_t kRememberedBytes = 256;

bool is_same_time(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

}  // namespace

FileReader::FileReader(std::shared_ptr<const OpenFile> file, std::size_t line_bytes_max)
    : file_(std::move(file)), splitter_(line_bytes_max) {}

void FileReader::skip_to_end() {
  off_t end = file_->size();
  // Back to the start of a line, within one read: a longer line is cut into pieces anyway.
  const off_t floor = std::max<off_t>(0, end - static_cast<off_t>(kReadBytes));
  const std::string tail = read_at(floor, static_cast<std::size_t>(end - floor));
  const auto lf = tail.rfind('\n');
  if (lf != std::string::npos) {
    end = floor + static_cast<off_t>(lf) + 1;
  } else if (floor == 0) {
    end = 0;
  }
  offset_ = end;
  remember(std::string_view(tail).substr(0, static_cast<std::size_t>(end - floor)));
}

bool FileReader::read(std::vector<Line>& lines) {
  struct stat status {};
  if (::fstat(file_->fd(), &status) != 0) return false;
  if (status.st_size == offset_ && is_same_time(status.st_mtim, modified_)) return false;
  if (status.st_size < offset_) {
    restart(lines);
    return true;
  }
  modified_ = status.st_mtim;
  // In one read with the bytes before it, so that a truncation can't fall between the two.
  const auto known = static_cast<off_t>(before_.size());
  const std::string bytes = read_at(offset_ - known, kReadBytes);
  if (!std::string_view(bytes).starts_with(before_)) {
    restart(lines);
    return true;
  }
  std::string_view added = std::string_view(bytes).substr(before_.size());
  if (added.empty()) return false;
  offset_ += static_cast<off_t>(added.size());
  if (skips_nuls_) {
    const auto text = added.find_first_not_of('\0');
    skips_nuls_ = text == std::string_view::npos;
    splitter_.add(added.substr(std::min(text, added.size())), lines);
  } else {
    splitter_.add(added, lines);
  }
  remember(bytes);
  return true;
}

// Begins the file anew. A writer that doesn't append continues at its old position, which leaves a hole of
// NULs at the start: skip them, since nobody wrote them.
void FileReader::restart(std::vector<Line>& lines) {
  spdlog::info("the file was truncated: reading it from its start");
  splitter_.finish(lines);
  offset_ = 0;
  before_.clear();
  modified_ = {};
  skips_nuls_ = true;
}

void FileReader::remember(std::string_view bytes) {
  before_ = bytes.substr(bytes.size() - std::min(bytes.size(), kRememberedBytes));
}

std::string FileReader::read_at(off_t offset, std::size_t count) const {
  std::string bytes(count, '\0');
  ssize_t n = 0;
  do {
    n = ::pread(file_->fd(), bytes.data(), bytes.size(), offset);
  } while (n < 0 && errno == EINTR);
  bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  return bytes;
}

}  // namespace weir
