#include "publishers/log/tailer.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace weir {
namespace {

// How many files that the writer may have left are still read.
constexpr std::size_t kLeftMax = 4;
// How many windows without a line one read() takes.
constexpr int kEmptyWindowsMax = 64;
// How long a file that can't be read keeps the next one waiting.
constexpr std::chrono::minutes kPatience{1};

bool is_of(const FilePosition& position, std::uint64_t device, std::uint64_t inode) {
  return position.device == device && position.inode == inode;
}

bool has_name(const OpenFile& file) {
  struct stat status {};
  return ::fstat(file.fd(), &status) == 0 && status.st_nlink > 0;
}

// True if the file has `bytes` before `end`.
bool has_before(const OpenFile& file, std::uint64_t end, std::string_view bytes) {
  std::string found(bytes.size(), '\0');
  const auto size = ::pread(file.fd(), found.data(), found.size(), static_cast<off_t>(end - bytes.size()));
  return size == static_cast<ssize_t>(bytes.size()) && found == bytes;
}

}  // namespace

Tailer::Tailer(Watcher& watcher, const std::string& path, Options options)
    : path_(path), options_(std::move(options)), watch_(watcher, path) {
  // Fixes the position now: the end to begin at is the present one, however late the first read comes.
  options_.resume.empty() ? static_cast<void>(begin()) : resume();
}

std::unique_ptr<FileReader> Tailer::make_reader(std::shared_ptr<const OpenFile> file) const {
  return std::make_unique<FileReader>(std::move(file), options_.line_bytes_max, options_.format);
}

std::vector<Line> Tailer::read(Clock::time_point now) {
  has_more_ = false;
  Lines lines;
  read_left(now, lines);
  for (int window = 0; lines.empty(); ++window) {
    if (window == kEmptyWindowsMax) {
      has_more_ = true;
      break;
    }
    if (!waiting_.empty()) {
      read_waiting(now, lines);
      if (!waiting_.empty() && !why_not_.empty()) break;
    } else if (!read_current(now, lines)) {
      break;
    }
  }
  return lines;
}

// False if there is nothing more to read now.
bool Tailer::read_current(Clock::time_point now, Lines& lines) {
  if (!reader_ && !begin()) return false;
  // Ask for the next file before the last read of this one: that read then includes all that the writer
  // wrote before it moved on.
  const auto next = watch_.next();
  const bool has_moved_on = next && (next->size() > 0 || watch_.held() > 2);
  const auto outcome = read_from(*reader_, now, lines);
  if (outcome == FileReader::Outcome::kTruncated) {
    restart(lines);
    return true;
  }
  if (outcome == FileReader::Outcome::kRead) {
    grown_at_ = now;
    removed_at_.reset();
    return true;
  }
  if (has_moved_on && !is_patient(now)) {
    leave(now, lines);
    return true;
  }
  if (next) {
    const bool is_quiet = now - std::max(grown_at_, next->opened_at()) >= options_.settle;
    if (is_quiet && why_not_.empty()) reader_->finish(lines);
  } else if (!has_name(reader_->file())) {
    if (!removed_at_) removed_at_ = now;
    is_gone_ = now - *removed_at_ >= options_.linger;
  }
  return false;
}

FileReader::Outcome Tailer::read_from(FileReader& reader, Clock::time_point now, Lines& lines) {
  const auto errors = reader.read_errors();
  const auto outcome = reader.read(lines);
  read_errors_ += reader.read_errors() - errors;
  if (reader.why_not() == why_not_) return outcome;
  why_not_ = reader.why_not();
  failed_at_ = now;
  if (why_not_.empty()) {
    spdlog::info("{} can be read again", path_);
  } else {
    spdlog::warn("can't read {}: {}", path_, why_not_);
  }
  return outcome;
}

bool Tailer::is_patient(Clock::time_point now) const {
  return !why_not_.empty() && now - failed_at_ < kPatience;
}

std::vector<Line> Tailer::finish() {
  Lines lines;
  if (reader_ && waiting_.empty()) reader_->finish(lines);
  return lines;
}

bool Tailer::begin() {
  auto file = watch_.current();
  if (!file) return false;
  is_gone_ = false;
  removed_at_.reset();
  why_not_.clear();
  const bool skips = file->was_there_at_start && !options_.from_start && options_.resume.empty();
  reader_ = make_reader(std::move(file));
  const auto here = reader_->position();
  const auto left = std::find_if(left_.begin(), left_.end(), [&](const Left& each) {
    return is_of(each.reader->position(), here.device, here.inode);
  });
  if (left != left_.end()) {
    spdlog::info("a file has come back to {}: going on with it", path_);
    reader_ = std::move(left->reader);
    left_.erase(left);
    return true;
  }
  const auto known = std::find_if(remembered_.begin(), remembered_.end(), [&](const FilePosition& each) {
    return is_of(each, here.device, here.inode);
  });
  if (known != remembered_.end()) {
    const auto position = *known;
    remembered_.erase(known);
    if (reader_->resume(position)) {
      spdlog::info("a file has come back to {}: going on with it", path_);
      return true;
    }
  }
  if (skips) reader_->skip_to_end();
  return true;
}

void Tailer::leave(Clock::time_point now, Lines& lines) {
  spdlog::info("{} was rotated: going on with the new file", path_);
  if (const auto unread = why_not_.empty() ? 0 : reader_->behind()) {
    spdlog::warn("gave up {} bytes of {}: {}", unread, path_, why_not_);
  }
  why_not_.clear();
  reader_->finish(lines);
  watch_.drop_current();
  if (left_.size() >= kLeftMax) {
    remember(*left_.front().reader);
    left_.erase(left_.begin());
  }
  left_.push_back({std::move(reader_), now + options_.linger});
}

void Tailer::read_left(Clock::time_point now, Lines& lines) {
  for (auto& left : left_) {
    if (!lines.empty()) return;
    const auto outcome = left.reader->read(lines);
    if (outcome == FileReader::Outcome::kRead || now < left.until) continue;
    left.reader->finish(lines);
    remember(*left.reader);
    left.reader.reset();
  }
  std::erase_if(left_, [](const Left& left) { return !left.reader; });
}

void Tailer::read_waiting(Clock::time_point now, Lines& lines) {
  auto& first = waiting_.front();
  if (read_from(*first.reader, now, lines) == FileReader::Outcome::kRead || is_patient(now)) return;
  why_not_.clear();
  first.reader->finish(lines);
  if (first.lingers && left_.size() < kLeftMax) {
    left_.push_back({std::move(first.reader), now + options_.linger});
  } else {
    remember(*first.reader);
  }
  waiting_.pop_front();
}

// Goes on after a truncation. A copy made before it (copytruncate) has what was not read.
void Tailer::restart(Lines& lines) {
  const auto files = rotated_files(path_);
  const auto position = reader_->position();
  const auto end = static_cast<std::uint64_t>(reader_->offset());
  if (const auto copied = queue_copy(position, end, reader_->before(), files)) {
    spdlog::info("{} was truncated: going on with the copy, then from its start", path_);
    queue_later(*copied, files);
  } else {
    spdlog::info("{} was truncated: reading it from its start", path_);
    if (reader_->unread() > 0) {
      spdlog::warn("{} was truncated before {} bytes were read, and there is no copy of it", path_,
                   reader_->unread());
    }
    reader_->finish(lines);
  }
  reader_->restart();
}

void Tailer::resume() {
  const auto files = rotated_files(path_);
  const auto current = watch_.current();
  const auto& newest = options_.resume.back();
  std::optional<std::int64_t> found;
  for (const auto& position : options_.resume) {
    if (current) {
      auto reader = make_reader(current);
      if (is_of(position, reader->position().device, reader->position().inode) && reader->resume(position)) {
        reader_ = std::move(reader);
        continue;
      }
    }
    if (const auto modified_ns = queue(position, files)) {
      if (position == newest) found = modified_ns;
    } else if (position == newest) {
      found = queue_copy(position, position.offset, {}, files);
      if (!found) {
        spdlog::warn("what was read of {} before is gone: what was added to it behind byte {} is not known",
                     path_, position.offset);
      }
    }
  }
  if (!reader_ && found) queue_later(*found, files);
  if (!reader_) begin();
}

std::optional<std::int64_t> Tailer::queue(const FilePosition& position,
                                          const std::vector<RotatedFile>& files) {
  for (const auto& each : files) {
    if (!is_of(position, each.device, each.inode)) continue;
    auto file = OpenFile::open(each.path);
    if (!file) continue;
    auto reader = make_reader(std::move(file));
    if (!is_of(position, reader->position().device, reader->position().inode)) continue;
    if (!reader->resume(position)) continue;
    waiting_.push_back({std::move(reader), true});
    return each.modified_ns;
  }
  return std::nullopt;
}

// `before` are the bytes up to `end` that a copy has as well.
std::optional<std::int64_t> Tailer::queue_copy(const FilePosition& position, std::uint64_t end,
                                               std::string_view before,
                                               const std::vector<RotatedFile>& files) {
  if (position.offset == 0 && end == 0) return std::nullopt;
  for (auto each = files.rbegin(); each != files.rend(); ++each) {
    if (is_of(position, each->device, each->inode) || knows(each->device, each->inode)) continue;
    auto file = OpenFile::open(each->path);
    if (!file || !has_before(*file, end, before)) continue;
    auto reader = make_reader(file);
    auto copied = position;
    copied.device = each->device;
    copied.inode = each->inode;
    if (!reader->resume(copied)) continue;
    waiting_.push_back({std::move(reader), false});
    return each->modified_ns;
  }
  return std::nullopt;
}

// Queues the files that were modified after `modified_ns`: rotated meanwhile, and not read at all.
void Tailer::queue_later(std::int64_t modified_ns, const std::vector<RotatedFile>& files) {
  const auto current = watch_.current();
  for (const auto& each : files) {
    if (each.modified_ns <= modified_ns || knows(each.device, each.inode)) continue;
    const bool was_read =
        std::any_of(options_.resume.begin(), options_.resume.end(),
                    [&](const auto& position) { return is_of(position, each.device, each.inode); });
    auto file = OpenFile::open(each.path);
    if (was_read || !file || (current && file->is_same(*current))) continue;
    waiting_.push_back({make_reader(std::move(file)), true});
  }
}

std::vector<FilePosition> Tailer::positions() {
  std::vector<FilePosition> positions;
  for (const auto& left : left_) positions.push_back(left.reader->position());
  for (const auto& waiting : waiting_) positions.push_back(waiting.reader->position());
  if (reader_) positions.push_back(reader_->position());
  return positions;
}

std::uint64_t Tailer::behind() const {
  std::uint64_t bytes = reader_ ? reader_->behind() : 0;
  for (const auto& waiting : waiting_) bytes += waiting.reader->behind();
  const auto next = watch_.next();
  if (next) bytes += static_cast<std::uint64_t>(next->size());
  const auto last = watch_.last();
  if (watch_.held() > 2 && last) bytes += static_cast<std::uint64_t>(last->size());
  return bytes;
}

bool Tailer::knows(std::uint64_t device, std::uint64_t inode) const {
  const auto reads = [&](const std::unique_ptr<FileReader>& reader) {
    return reader && is_of(reader->position(), device, inode);
  };
  return reads(reader_) ||
         std::any_of(left_.begin(), left_.end(), [&](auto& each) { return reads(each.reader); }) ||
         std::any_of(waiting_.begin(), waiting_.end(), [&](auto& each) { return reads(each.reader); }) ||
         std::any_of(remembered_.begin(), remembered_.end(),
                     [&](auto& each) { return is_of(each, device, inode); });
}

void Tailer::remember(FileReader& reader) {
  // Its inode may be given to another file.
  if (!has_name(reader.file())) return;
  if (remembered_.size() >= kRememberedMax) remembered_.pop_front();
  remembered_.push_back(reader.position());
}

}  // namespace weir
