#include "publishers/log/file_reader.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "publishers/log/byte_order_mark.h"

namespace weir {
namespace {

constexpr std::size_t kRememberedBytes = 256;

bool is_same_time(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

}  // namespace

FileReader::FileReader(std::shared_ptr<const OpenFile> file, std::size_t line_bytes_max,
                       MakeLineFormat make_format, std::size_t window_lines)
    : file_(std::move(file)),
      line_bytes_max_(line_bytes_max),
      make_format_(std::move(make_format)),
      window_lines_(window_lines),
      splitter_(line_bytes_max) {
  if (make_format_) format_ = make_format_();
  position_.life = new_life();
  struct stat status {};
  if (::fstat(file_->fd(), &status) != 0) return;
  position_.device = status.st_dev;
  position_.inode = status.st_ino;
}

void FileReader::skip_to_end() {
  off_t end = file_->size();
  // Back to the start of a line, within one read: a longer line is cut into pieces anyway.
  const off_t floor = std::max<off_t>(0, end - static_cast<off_t>(kReadBytes));
  std::string tail;
  read_at(floor, static_cast<std::size_t>(end - floor), tail);
  const auto lf = tail.rfind('\n');
  if (lf != std::string::npos) {
    end = floor + static_cast<off_t>(lf) + 1;
  } else if (floor == 0) {
    end = 0;
  }
  if (end == 0) return;
  read_at(0, static_cast<std::size_t>(std::min<off_t>(end, kFingerprintBytes)), head_);
  tail.resize(std::min(tail.size(), static_cast<std::size_t>(end - floor)));
  before_ = tail.substr(tail.size() - std::min(tail.size(), kRememberedBytes));
  is_utf16_ = begins_as_utf16(head_);
  if (is_utf16_) why_not_ = kUtf16;
  offset_ = end;
  position_.offset = static_cast<std::uint64_t>(end);
  skips_nuls_ = is_first_line_ = false;
}

bool FileReader::resume(const FilePosition& position) {
  const auto offset = static_cast<off_t>(position.offset);
  if (offset < 0 || file_->size() < offset) return false;
  const auto life = position.life != 0 ? position.life : position_.life;
  if (position.fingerprint.empty()) {
    if (offset == 0) position_.life = life;
    return offset == 0;
  }
  read_at(0, std::min<std::size_t>(position.offset, kFingerprintBytes), head_);
  // The fingerprint may cover more than what was published.
  std::string known;
  read_at(0, fingerprint_bytes(position.fingerprint), known);
  if (!has_fingerprint(known, position.fingerprint)) {
    head_.clear();
    return false;
  }
  position_.life = life;
  if (offset == 0) return true;
  const auto remembered = std::min<off_t>(offset, kRememberedBytes);
  read_at(offset - remembered, static_cast<std::size_t>(remembered), before_);
  offset_ = offset;
  position_.offset = position.offset;
  is_utf16_ = begins_as_utf16(head_);
  if (is_utf16_) why_not_ = kUtf16;
  is_first_line_ = false;
  skips_nuls_ = before_.find_first_not_of('\0') == std::string::npos;
  return true;
}

FileReader::Outcome FileReader::read(std::vector<Line>& lines) {
  if (used_ < bytes_.size()) {
    split(lines);
    return Outcome::kRead;
  }
  struct stat status {};
  if (::fstat(file_->fd(), &status) != 0) {
    ++read_errors_;
    return fail(std::strerror(errno));
  }
  const off_t size_before = std::exchange(size_, status.st_size);
  const bool is_untouched = size_ == size_before && is_same_time(status.st_mtim, modified_);
  modified_ = status.st_mtim;
  // A size that has not moved, and isn't where the file ended, was never true. The time isn't either.
  const bool is_beyond = is_at_end_ && size_ > offset_ && !skips_nuls_;
  const bool lies = size_ == size_before && (size_ < offset_ || is_beyond);
  if (why_not_.empty() && ((is_at_end_ && (lies || is_untouched)) || (is_untouched && size_ == offset_))) {
    return Outcome::kNothing;
  }
  unread_ = static_cast<std::uint64_t>(std::max<off_t>(0, size_before - offset_));
  if (size_ < offset_ && !lies) return Outcome::kTruncated;
  if (is_utf16_) return Outcome::kNothing;
  if (skips_nuls_ && skip_hole()) return Outcome::kNothing;
  // In one read with the bytes before it, so that a truncation can't fall between the two.
  const std::size_t known = before_.size();
  if (read_at(offset_ - static_cast<off_t>(known), known + kReadBytes, bytes_) < 0) {
    ++read_errors_;
    return fail(std::strerror(errno));
  }
  why_not_.clear();
  const bool is_another = !lies && !std::string_view(bytes_).starts_with(before_);
  is_at_end_ = !is_another && bytes_.size() <= known;
  if (is_another || is_at_end_) {
    bytes_.clear();
    return is_another ? Outcome::kTruncated : Outcome::kNothing;
  }
  take(std::string_view(bytes_).substr(known));
  used_ = known;
  if (is_utf16_) {
    bytes_.clear();
    used_ = 0;
    return fail(kUtf16);
  }
  split(lines);
  return Outcome::kRead;
}

// Moves to the next byte that somebody wrote. True if there is none.
bool FileReader::skip_hole() {
  if (size_ <= offset_) return false;  // Or the size lies.
  const off_t data = ::lseek(file_->fd(), offset_, SEEK_DATA);
  if (data < 0 && errno == ENXIO) {
    // Asks again once the file has changed.
    is_at_end_ = true;
    return true;
  }
  if (data <= offset_) return false;  // A file system that knows no holes has one block of data.
  before_.clear();
  if (head_.size() < kFingerprintBytes) {
    head_.append(std::min(kFingerprintBytes - head_.size(), static_cast<std::size_t>(data - offset_)), '\0');
  }
  offset_ = data;
  position_.offset = static_cast<std::uint64_t>(data);
  return false;
}

// Counts `bytes` as read.
void FileReader::take(std::string_view bytes) {
  if (head_.size() < kFingerprintBytes) head_ += bytes.substr(0, kFingerprintBytes - head_.size());
  offset_ += static_cast<off_t>(bytes.size());
  before_ = bytes_.substr(bytes_.size() - std::min(bytes_.size(), kRememberedBytes));
  is_utf16_ = begins_as_utf16(head_);
}

void FileReader::split(std::vector<Line>& lines) {
  if (skips_nuls_) {
    used_ = std::min(bytes_.find_first_not_of('\0', used_), bytes_.size());
    skips_nuls_ = used_ == bytes_.size();
  }
  const std::size_t first = lines.size();
  const std::size_t lines_max = first + window_lines_;
  while (used_ < bytes_.size() && lines.size() < lines_max) {
    const auto rest = std::string_view(bytes_).substr(used_);
    auto& to = format_ ? split_ : lines;
    // With a format, one line at a time: the position may only lie where no line waits.
    const auto at = static_cast<std::uint64_t>(offset_) - rest.size();
    used_ += splitter_.add(rest, to, format_ ? 1 : lines_max, at);
    if (is_first_line_ && !to.empty()) {
      auto& text = to[format_ ? 0 : first].text;
      if (text.starts_with(kUtf8Mark)) text.erase(0, kUtf8Mark.size());
      is_first_line_ = false;
    }
    if (format_) {
      for (auto& line : split_) format_->add(std::move(line), lines);
      split_.clear();
      if (format_->has_pending()) continue;
    }
    position_.offset =
        static_cast<std::uint64_t>(offset_) - (bytes_.size() - used_) - splitter_.partial_bytes();
  }
  if (used_ == bytes_.size()) {
    bytes_.clear();
    used_ = 0;
  }
  for (std::size_t i = first; i < lines.size(); ++i) lines[i].place.life = position_.life;
}

void FileReader::restart() {
  splitter_ = LineSplitter(line_bytes_max_);
  if (make_format_) format_ = make_format_();
  bytes_.clear();
  before_.clear();
  head_.clear();
  used_ = 0;
  hashed_ = 0;
  offset_ = 0;
  position_.offset = 0;
  position_.life = new_life();
  position_.fingerprint.clear();
  size_ = -1;
  unread_ = 0;
  why_not_.clear();
  is_at_end_ = is_utf16_ = false;
  skips_nuls_ = is_first_line_ = true;
}

void FileReader::finish(std::vector<Line>& lines) {
  if (is_utf16_) return;
  const std::size_t first = lines.size();
  while (used_ < bytes_.size()) split(lines);
  auto& to = format_ ? split_ : lines;
  splitter_.finish(to);
  if (format_) {
    for (auto& line : split_) format_->add(std::move(line), lines);
    split_.clear();
    format_->finish(lines);
  }
  for (std::size_t i = first; i < lines.size(); ++i) lines[i].place.life = position_.life;
  position_.offset = static_cast<std::uint64_t>(offset_);
}

const FilePosition& FileReader::position() {
  if (head_.size() > hashed_) {
    position_.fingerprint = fingerprint_of(head_);
    hashed_ = head_.size();
  } else if (head_.empty()) {
    // Nothing was read yet. The file may be truncated before anything is, and then a copy has to be known.
    std::string head;
    read_at(0, kFingerprintBytes, head);
    position_.fingerprint = fingerprint_of(head);
  }
  return position_;
}

std::uint64_t FileReader::behind() const {
  const off_t size = file_->size();
  const bool is_done = is_at_end_ && size == size_;
  const auto ahead = is_done ? 0 : std::max<off_t>(0, size - offset_);
  return static_cast<std::uint64_t>(ahead) + (bytes_.size() - used_);
}

FileReader::Outcome FileReader::fail(const std::string& reason) {
  why_not_ = reason;
  return Outcome::kNothing;
}

ssize_t FileReader::read_at(off_t offset, std::size_t count, std::string& bytes) const {
  bytes.resize(count);
  ssize_t n = 0;
  do {
    n = ::pread(file_->fd(), bytes.data(), bytes.size(), offset);
  } while (n < 0 && errno == EINTR);
  const int error = errno;
  bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  errno = error;
  return n;
}

}  // namespace weir
