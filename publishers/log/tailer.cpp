#include "publishers/log/tailer.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

namespace weir {
namespace {

// How many files that the writer may have left are still read.
constexpr std::size_t kLeftMax = 4;
// How many windows without a line one read() takes.
constexpr int kEmptyWindowsMax = 64;
// How many rotated files wait to be read. With those that were left they fit in a StateFile.
constexpr std::size_t kWaitingMax = 56;
// How long a file that can't be read keeps the next one waiting.
constexpr std::chrono::minutes kPatience{1};
constexpr auto kForEver = std::numeric_limits<std::int64_t>::max();

std::int64_t modified_ns_of(const OpenFile& file) {
  struct stat status {};
  if (::fstat(file.fd(), &status) != 0) return 0;
  return std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

// The first bytes of the file, `bytes_max` at most.
std::string head_of(const OpenFile& file, std::size_t bytes_max) {
  std::string head(bytes_max, '\0');
  const auto size = ::pread(file.fd(), head.data(), head.size(), 0);
  head.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return head;
}

}  // namespace

Tailer::Tailer(Watcher& watcher, const std::string& path, Options options)
    : watcher_(watcher), path_(path), options_(std::move(options)), watch_(watcher, path) {
  // Fixes the position now: the end to begin at is the present one, however late the first read comes.
  options_.resume.empty() ? static_cast<void>(begin()) : resume();
}

std::unique_ptr<FileReader> Tailer::make_reader(std::shared_ptr<const OpenFile> file) const {
  return std::make_unique<FileReader>(std::move(file), options_.line_bytes_max, options_.format,
                                      options_.window_lines);
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
  } else if (!reader_->file().has_a_link()) {
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
  } else if (options_.warns) {
    spdlog::warn("cannot read {}: {}", path_, why_not_);
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
    return each.reader->position().is_in(here.device, here.inode);
  });
  if (left != left_.end()) {
    spdlog::info("a file has come back to {}: going on with it", path_);
    reader_ = std::move(left->reader);
    left_.erase(left);
    return true;
  }
  const auto known = std::find_if(remembered_.begin(), remembered_.end(), [&](const FilePosition& each) {
    return each.is_in(here.device, here.inode);
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
  begin();
  queue_unseen(left_.back().reader->file());
}

void Tailer::read_left(Clock::time_point now, Lines& lines) {
  for (auto& left : left_) {
    if (!lines.empty()) return;
    const auto outcome = left.reader->read(lines);
    // The writer has not moved on for as long as the new file is empty.
    if (reader_ && reader_->file().size() == 0 && left.reader->file().has_a_link()) {
      left.until = now + options_.linger;
    }
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
  const auto missed = missed_files();
  const auto end = static_cast<std::uint64_t>(reader_->offset());
  if (auto copy = missed.find_copy(reader_->position(), end, reader_->before())) {
    spdlog::info("{} was truncated: going on with the copy, then from its start", path_);
    waiting_.push_back({std::move(copy->reader), false});
    queue_between(missed, copy->modified_ns + 1, kForEver);
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

MissedFiles Tailer::missed_files() const {
  return MissedFiles(
      path_, [this](auto file) { return make_reader(std::move(file)); },
      [this](std::uint64_t device, std::uint64_t inode) { return knows(device, inode); },
      [this](const OpenFile& file) { return is_copy(file); });
}

// True if it begins as a file that is being read, or was. A copy may be shorter than what it is a copy of, and one
// without a byte has nothing to read.
bool Tailer::is_copy(const OpenFile& file) const {
  const std::string head = head_of(file, kFingerprintBytes);
  const auto is_alike = [&](const std::unique_ptr<FileReader>& reader) {
    return reader && head_of(reader->file(), head.size()) == head;
  };
  const auto is_alike_its = [&](const auto& each) { return is_alike(each.reader); };
  return head.empty() || is_alike(reader_) || std::any_of(left_.begin(), left_.end(), is_alike_its) ||
         std::any_of(waiting_.begin(), waiting_.end(), is_alike_its) ||
         std::any_of(remembered_.begin(), remembered_.end(), [&](const FilePosition& position) {
           return has_fingerprint(head, position.fingerprint);
         });
}

void Tailer::queue_between(const MissedFiles& missed, std::int64_t from_ns, std::int64_t to_ns) {
  for (auto& reader : missed.find_between(from_ns, to_ns)) {
    if (waiting_.size() < kWaitingMax) waiting_.push_back({std::move(reader), true});
  }
}

// The file that follows `left` may have been copied and truncated before anybody read it. The copy is older than
// what it holds now.
void Tailer::queue_unseen(const OpenFile& left) {
  const auto next = watch_.current();
  if (!next) return;
  const auto until_ns = modified_ns_of(*next);
  // Files that were at the path for a moment are held then, in their order, and are known.
  watcher_.look_at_all();
  queue_between(missed_files(), modified_ns_of(left), until_ns);
}

void Tailer::resume() {
  const auto missed = missed_files();
  const auto& newest = options_.resume.back();
  std::optional<std::int64_t> found;  // When the newest rotated file that was found was modified.
  const auto queue = [&](std::optional<MissedFiles::Found> file, bool lingers) {
    if (!file) return false;
    found = file->modified_ns;
    waiting_.push_back({std::move(file->reader), lingers});
    return true;
  };
  for (const auto& position : options_.resume) {
    if (resume_current(position) || queue(missed.find_file(position), true) || position != newest) continue;
    if (queue(missed.find_copy(position, position.offset, {}), false)) continue;
    spdlog::warn("what was read of {} before is gone: what was added to it behind byte {} is not known",
                 path_, position.offset);
  }
  // A file that was begun holds all that came after the rotated ones. One that was not may have been truncated.
  const bool has_begun = reader_ && reader_->position().offset > 0;
  if (!reader_) begin();
  if (!has_begun && found) queue_between(missed, *found + 1, kForEver);
}

// False if `position` is not in the file at the path.
bool Tailer::resume_current(const FilePosition& position) {
  auto file = watch_.current();
  if (!file) return false;
  auto reader = make_reader(std::move(file));
  const auto here = reader->position();
  if (!position.is_in(here.device, here.inode) || !reader->resume(position)) return false;
  reader_ = std::move(reader);
  return true;
}

std::vector<FilePosition> Tailer::positions() {
  // Those that were read to their end as well: a pattern may find them again in the next run.
  std::vector<FilePosition> positions(remembered_.begin(), remembered_.end());
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
  const auto is_position = [&](const FilePosition& each) { return each.is_in(device, inode); };
  const auto reads = [&](const std::unique_ptr<FileReader>& reader) {
    return reader && reader->position().is_in(device, inode);
  };
  const auto reads_its = [&](const auto& each) { return reads(each.reader); };
  return watch_.holds({device, inode}) || reads(reader_) ||
         std::any_of(left_.begin(), left_.end(), reads_its) ||
         std::any_of(waiting_.begin(), waiting_.end(), reads_its) ||
         std::any_of(remembered_.begin(), remembered_.end(), is_position);
}

void Tailer::remember(FileReader& reader) {
  // Its inode may be given to another file.
  if (!reader.file().has_a_link()) return;
  if (remembered_.size() >= kRememberedMax) remembered_.pop_front();
  remembered_.push_back(reader.position());
}

}  // namespace weir
