#include "publishers/log/state_file.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "proto/envelope.h"
#include "proto/json_scanner.h"
#include "proto/text.h"

namespace weir {
namespace {

constexpr std::string_view kHeader = R"({"weir-publish-log":"state","version":1})";
constexpr std::string_view kOffsetKey = R"({"offset":)";
constexpr std::size_t kOffsetDigits = 20;
constexpr std::size_t kLineBytes = 64;

// The name under which a path is kept: JSON holds no other bytes than UTF-8.
std::string key_of(std::string path) {
  replace_invalid_utf8(path);
  return path;
}

std::string padded(std::uint64_t offset) {
  const std::string digits = std::to_string(offset);
  return std::string(kOffsetDigits - digits.size(), ' ') + digits;
}

// Ends the line so that the next one begins at a multiple of kLineBytes.
void end_line(std::string& text) {
  text.append(kLineBytes - 1 - text.size() % kLineBytes, ' ');
  text += '\n';
}

bool is_same_file(const FilePosition& a, const FilePosition& b) {
  return a.device == b.device && a.inode == b.inode;
}

// True if `now` is `before` read further: its fingerprint may cover more, but the old one still fits.
bool goes_on(const FilePosition& before, const FilePosition& now) {
  return is_same_file(before, now) && now.life == before.life && now.offset >= before.offset &&
         !before.fingerprint.empty() &&
         fingerprint_bytes(now.fingerprint) >= fingerprint_bytes(before.fingerprint);
}

bool write_all(int fd, std::string_view bytes, off_t at) {
  while (!bytes.empty()) {
    const auto n = ::pwrite(fd, bytes.data(), bytes.size(), at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
    at += n;
  }
  return true;
}

bool parse_number(std::string_view text, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

void sync_folder(const std::string& path) {
  const auto slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);  // Some file systems can't.
  ::close(fd);
}

// True if the file is the one at `path` still: its last holder may have replaced it meanwhile.
bool is_at(int fd, const std::string& path) {
  struct stat held {};
  struct stat found {};
  return ::fstat(fd, &held) == 0 && ::stat(path.c_str(), &found) == 0 && held.st_dev == found.st_dev &&
         held.st_ino == found.st_ino;
}

}  // namespace

Result<std::unique_ptr<StateFile>> StateFile::open(const std::string& path) {
  for (int attempt = 0; attempt < 10; ++attempt) {
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
    if (fd < 0) return Error{"\"" + path + "\": " + std::strerror(errno)};
    std::unique_ptr<StateFile> state(new StateFile(path, fd));
    struct stat status {};
    if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
      return Error{"\"" + path + "\": is not a regular file"};
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return Error{"\"" + path + "\": another program uses it as its state"};
      return Error{"\"" + path + "\": can't be locked: " + std::strerror(errno)};
    }
    if (!is_at(fd, path)) continue;
    if (auto loaded = state->load(); !loaded) return Error{"\"" + path + "\": " + loaded.error().message};
    if (!state->rewrite()) return Error{"\"" + path + "\": can't be written: " + std::strerror(errno)};
    return state;
  }
  return Error{"\"" + path + "\": another program replaces it all the time"};
}

StateFile::~StateFile() { ::close(fd_); }

Result<bool> StateFile::load() {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) return Error{std::strerror(errno)};
  if (status.st_size > static_cast<off_t>(kBytesMax)) return Error{"is too large for a state"};
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const auto n = ::pread(fd_, text.data() + size, text.size() - size, static_cast<off_t>(size));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error{std::strerror(errno)};
    if (n == 0) break;
    size += static_cast<std::size_t>(n);
  }
  text.resize(size);
  std::string_view rest = text;
  if (trim(rest, " \r\n").empty()) return true;
  if (trim(take_until(rest, '\n'), " \r") != kHeader) {
    return Error{"line 1: is no state of this version of weir-publish-log"};
  }
  for (int number = 2; !rest.empty(); ++number) {
    const auto line = trim(take_until(rest, '\n'), " \r");
    if (line.empty()) continue;
    const auto mistake = parse(line);
    if (!mistake.empty()) return Error{"line " + std::to_string(number) + ": " + mistake};
  }
  return true;
}

// Returns the mistake; empty if there is none.
std::string StateFile::parse(std::string_view line) {
  JsonScanner scanner(line);
  FilePosition position;
  std::string path;
  std::string key;
  bool has_offset = false;
  if (!scanner.take('{')) return "is no JSON object";
  do {
    if (!scanner.next_text(key) || !scanner.take(':')) return "is no JSON object";
    bool fits = false;
    if (key == "offset") {
      fits = has_offset = parse_number(scanner.next_value(), position.offset);
    } else if (key == "device") {
      fits = parse_number(scanner.next_value(), position.device);
    } else if (key == "inode") {
      fits = parse_number(scanner.next_value(), position.inode);
    } else if (key == "life") {
      fits = parse_number(scanner.next_value(), position.life);
    } else if (key == "path") {
      fits = scanner.is_at_string() && scanner.next_text(path);
    } else if (key == "fingerprint") {
      fits = scanner.is_at_string() && scanner.next_text(position.fingerprint);
    } else {
      return "unknown field " + json_string(key);
    }
    if (!fits) return "the field " + json_string(key) + " has a wrong value";
  } while (scanner.take(','));
  if (!scanner.take('}') || !scanner.is_at_end()) return "is no JSON object";
  if (path.empty() || !has_offset) return "has no path or no offset";
  auto& entries = entries_[path];
  if (entries_.size() > kPathsMax || entries.size() >= kPositionsMax) return "is one too many";
  entries.push_back({std::move(position)});
  return {};
}

std::vector<FilePosition> StateFile::positions(const std::string& path) const {
  std::vector<FilePosition> positions;
  const auto found = entries_.find(key_of(path));
  if (found == entries_.end()) return positions;
  for (const auto& entry : found->second) positions.push_back(entry.position);
  return positions;
}

bool StateFile::has_file(const std::vector<Entry>& entries, std::uint64_t device, std::uint64_t inode) {
  return std::any_of(entries.begin(), entries.end(),
                     [&](const Entry& entry) { return entry.position.is_in(device, inode); });
}

bool StateFile::has(const std::string& path, std::uint64_t device, std::uint64_t inode) const {
  const auto found = entries_.find(key_of(path));
  return found != entries_.end() && has_file(found->second, device, inode);
}

bool StateFile::has_lives(const std::string& path, const std::vector<FilePosition>& positions) const {
  const auto found = entries_.find(key_of(path));
  return std::all_of(positions.begin(), positions.end(), [&](const FilePosition& position) {
    return found != entries_.end() &&
           std::any_of(found->second.begin(), found->second.end(), [&](const Entry& entry) {
             return is_same_file(entry.position, position) && entry.position.life == position.life;
           });
  });
}

std::optional<std::string> StateFile::path_of(std::uint64_t device, std::uint64_t inode) const {
  for (const auto& [path, entries] : entries_) {
    if (has_file(entries, device, inode)) return path;
  }
  return std::nullopt;
}

std::optional<FilePosition> StateFile::take(std::uint64_t device, std::uint64_t inode) {
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    auto& entries = it->second;
    const auto found = std::find_if(entries.begin(), entries.end(),
                                    [&](const Entry& entry) { return entry.position.is_in(device, inode); });
    if (found == entries.end()) continue;
    auto position = std::move(found->position);
    entries.erase(found);
    if (entries.empty()) entries_.erase(it);
    needs_rewrite_ = true;
    return position;
  }
  return std::nullopt;
}

// The entries of `path`, which may be new; nullptr if there are too many paths. Keeps the newest of `positions`.
std::vector<StateFile::Entry>* StateFile::entries_for(const std::string& path,
                                                      std::vector<FilePosition>& positions) {
  if (positions.size() > kPositionsMax) {
    positions.erase(positions.begin(), positions.end() - static_cast<std::ptrdiff_t>(kPositionsMax));
  }
  const std::string key = key_of(path);
  if (entries_.size() < kPathsMax || entries_.find(key) != entries_.end()) return &entries_[key];
  if (!std::exchange(has_warned_of_paths_, true)) {
    spdlog::warn("{}: holds {} paths; {} and further ones are not kept", path_, kPathsMax, path);
  }
  return nullptr;
}

void StateFile::begin(const std::string& path, std::vector<FilePosition> positions) {
  auto* const entries = entries_for(path, positions);
  if (entries == nullptr) return;
  entries->clear();
  for (auto& position : positions) entries->push_back({std::move(position)});
  needs_rewrite_ = true;
}

void StateFile::update(const std::string& path, std::vector<FilePosition> positions) {
  auto* const found = entries_for(path, positions);
  if (found == nullptr) return;
  auto& entries = *found;
  bool are_same = entries.size() == positions.size();
  for (std::size_t i = 0; are_same && i < positions.size(); ++i) {
    are_same = positions[i] == entries[i].position ||
               (entries[i].at >= 0 && goes_on(entries[i].position, positions[i]));
  }
  if (!are_same) {
    entries.clear();
    for (auto& position : positions) entries.push_back({std::move(position)});
    note(rewrite());
    return;
  }
  for (std::size_t i = 0; i < positions.size(); ++i) {
    auto& entry = entries[i];
    const bool has_moved = entry.position.offset != positions[i].offset;
    // A fingerprint that covers more can wait for sync(): the old one still fits.
    if (entry.position.fingerprint != positions[i].fingerprint) needs_rewrite_ = true;
    entry.position = std::move(positions[i]);
    if (has_moved && !note(write_offset(entry))) needs_rewrite_ = true;
  }
}

void StateFile::forget(const std::string& path) {
  if (entries_.erase(key_of(path)) > 0) note(rewrite());
}

void StateFile::sync() {
  if (needs_rewrite_ && !note(rewrite())) return;
  if (!is_dirty_) return;
  is_dirty_ = !note(::fdatasync(fd_) == 0);
}

// Fills in where the lines begin.
std::string StateFile::encode() {
  std::string text(kHeader);
  end_line(text);
  for (auto& [path, entries] : entries_) {
    for (auto& entry : entries) {
      const auto& position = entry.position;
      entry.at = static_cast<off_t>(text.size());
      text.append(kOffsetKey).append(padded(position.offset)).append(",\"path\":").append(json_string(path));
      text.append(",\"device\":").append(std::to_string(position.device));
      text.append(",\"inode\":").append(std::to_string(position.inode));
      if (position.life != 0) text.append(",\"life\":").append(std::to_string(position.life));
      text.append(",\"fingerprint\":").append(json_string(position.fingerprint)).append("}");
      end_line(text);
    }
  }
  return text;
}

// Replaces the file. Its content is on the disk before it has the name: some file systems would leave an empty
// one after a power cut, which is no state at all.
bool StateFile::rewrite() {
  needs_rewrite_ = true;
  const std::string name = path_ + ".new";
  ::unlink(name.c_str());
  const int fd = ::open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  const std::string text = encode();
  // The lock goes with the file, before another program can see it.
  if (fd < 0 || ::flock(fd, LOCK_EX | LOCK_NB) != 0 || !write_all(fd, text, 0) || ::fdatasync(fd) != 0 ||
      ::rename(name.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    if (fd >= 0) {
      ::close(fd);
      ::unlink(name.c_str());
    }
    for (auto& [path, entries] : entries_) {
      for (auto& entry : entries) entry.at = -1;
    }
    errno = error;
    return false;
  }
  ::close(fd_);
  fd_ = fd;
  needs_rewrite_ = is_dirty_ = false;
  sync_folder(path_);
  return true;
}

bool StateFile::write_offset(const Entry& entry) {
  is_dirty_ = true;
  return write_all(fd_, padded(entry.position.offset), entry.at + static_cast<off_t>(kOffsetKey.size()));
}

// Says once that the state can't be written, and once that it can again.
bool StateFile::note(bool worked) {
  if (worked == !is_failing_) return worked;
  is_failing_ = !worked;
  if (worked) {
    spdlog::info("{} can be written again", path_);
  } else {
    spdlog::warn("{} can't be written: {}; a restart would repeat what is published now", path_,
                 std::strerror(errno));
  }
  return worked;
}

}  // namespace weir
