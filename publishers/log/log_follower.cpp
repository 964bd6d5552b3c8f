#include "publishers/log/log_follower.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <set>
#include <utility>

#include "process/readable.h"
#include "process/stop.h"
#include "proto/channel_name.h"
#include "publishers/log/channel_template.h"
#include "publishers/log/path_pattern.h"
#include "publishers/log/resume_plan.h"
#include "publishers/program/sha256.h"

namespace weir {
namespace {

using Ending = Publisher::Ending;

constexpr std::chrono::seconds kTick{1};
// How much must wait to be read before it is worth a line of the log, and how often that line comes.
constexpr std::uint64_t kBehindBytes = 4 << 20;
constexpr std::chrono::seconds kBehindReport{10};
// How much of what the files hold is still published after a stop.
constexpr std::size_t kLastBytesMax = 4 << 20;

}  // namespace

struct LogFollower::File {
  std::string path;
  std::string channel;
  LineEncoder encoder;
  Tailer tailer;
  bool is_named;                  // By a path of its own: it is waited for, and never dropped.
  bool is_read = false;           // To its end. Only if files are not followed.
  std::uint64_t read_errors = 0;  // Counted.
};

struct LogFollower::Window {
  File* file;
  LinePublisher::Batch batch;
  std::vector<FilePosition> positions;  // Behind it.
};

LogFollower::LogFollower(Options options, StateFile* state, const Work& work)
    : options_(std::move(options)),
      state_(state),
      work_(work),
      publisher_(work, options_.rate, [this] { tick(); }),
      has_earlier_state_(state != nullptr && !state->is_empty()),
      watcher_(options_.watch),
      file_set_(watcher_, options_.files, options_.files_max, [this](dev_t device, ino_t inode) {
        return std::any_of(files_.begin(), files_.end(),
                           [&](const auto& file) { return file->tailer.knows(device, inode); });
      }) {}

LogFollower::~LogFollower() = default;

WorkResult LogFollower::run() {
  WorkResult result{.runs_until_stopped = options_.follow};
  look_for_files();
  if (files_.empty() && options_.follow) spdlog::info("waiting for files to appear");
  result.ending = options_.follow || can_read_all() ? publish_all() : Ending::kGaveUp;
  bool is_complete = result.ending == Ending::kDone;
  if (result.ending == Ending::kStopped && options_.follow) is_complete = publish_last();
  tick();
  if (is_complete && options_.end && is_channel_template(work_.channel)) {
    const Grace grace(kGraceTime);
    is_complete = publish_ends(grace.token());
  }
  result.wants_end = is_complete && options_.end && !is_channel_template(work_.channel);
  if (result.wants_end) result.end_key = end_key(work_.channel);
  return result;
}

void LogFollower::look_for_files() {
  const auto paths = file_set_.look();
  if (state_ == nullptr || paths.empty()) {
    for (const auto& path : paths) add_file(path, {});
    return;
  }
  const auto is_followed = [this](const std::string& path) {
    return std::any_of(files_.begin(), files_.end(), [&](const auto& file) { return file->path == path; });
  };
  const auto has_name = [this](const std::string& path) { return is_named(path); };
  auto resumes = plan_resume(*state_, paths, is_followed, has_name);
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (resumes[i].is_elsewhere) {
      spdlog::debug("{} was rotated: the rest of it is read with the file that it was", paths[i]);
    } else {
      add_file(paths[i], std::move(resumes[i].positions));
    }
  }
  state_->sync();
}

bool LogFollower::is_named(const std::string& path) const {
  return std::find(options_.files.begin(), options_.files.end(), path) != options_.files.end();
}

void LogFollower::add_file(const std::string& path, std::vector<FilePosition> resume) {
  const std::string channel = channel_for(work_.channel, path);
  if (!is_channel_name(channel)) {
    spdlog::warn("{} is not followed: its channel would be \"{}\", and {}", path, channel, kChannelNameRule);
    return;
  }
  const auto& given = options_.files;
  auto tailing = options_.tailing;
  // A file that came while the program ran, or since it last ran, is read from its start.
  if (!file_set_.was_there_at_start(path) || has_earlier_state_) tailing.from_start = true;
  tailing.resume = std::move(resume);
  const bool is_one_of_many = given.size() > 1 || PathPattern(given.front()).has_wildcard();
  const bool names_file = is_one_of_many && !has_channel_for_each_file(work_.channel);
  files_.push_back(
      std::unique_ptr<File>(new File{.path = path,
                                     .channel = channel,
                                     .encoder = LineEncoder(names_file ? path : "", options_.passes_json),
                                     .tailer = Tailer(watcher_, path, tailing),
                                     .is_named = is_named(path)}));
  Tailer& tailer = files_.back()->tailer;
  if (state_ != nullptr) state_->begin(path, tailer.positions());
  if (options_.follow && !tailer.has_file() && tailer.why_not().empty()) {
    spdlog::info("waiting for {} to appear", path);
  }
}

void LogFollower::drop_gone_files() {
  for (auto it = files_.begin(); it != files_.end();) {
    File& file = **it;
    const bool is_pending = std::any_of(pending_.begin(), pending_.end(),
                                        [&](const Window& window) { return window.file == &file; });
    if (file.is_named || is_pending || !file.tailer.is_gone()) {
      ++it;
      continue;
    }
    spdlog::info("{} was removed", file.path);
    if (options_.end && has_channel_for_each_file(work_.channel)) {
      work_.publisher.publish_end(file.channel, end_key(file.channel), work_.stop);
    }
    const std::string path = file.path;
    it = files_.erase(it);
    if (state_ != nullptr) state_->forget(path);
    file_set_.gone(path);
  }
}

void LogFollower::tick() {
  ticked_at_ = Clock::now();
  if (options_.follow && !work_.stop.stop_requested()) {
    drop_gone_files();
    look_for_files();
  }
  work_.metrics.set_files(files_.size());
  count_read_errors();
  report_behind(ticked_at_);
  if (state_ != nullptr) state_->sync();
}

void LogFollower::count_read_errors() {
  for (const auto& file : files_) {
    const auto errors = file->tailer.read_errors();
    work_.metrics.add_read_errors(errors - std::exchange(file->read_errors, errors));
  }
}

void LogFollower::report_behind(Clock::time_point now) {
  const auto behind = behind_bytes();
  work_.metrics.set_behind_bytes(behind);
  if (behind < kBehindBytes) {
    if (std::exchange(is_behind_, false)) spdlog::info("caught up");
    return;
  }
  if (is_behind_ && now - reported_at_ < kBehindReport) return;
  is_behind_ = true;
  reported_at_ = now;
  spdlog::info("behind by {:.1f} MiB{}", static_cast<double>(behind) / (1 << 20), publisher_.pace_text());
}

std::uint64_t LogFollower::behind_bytes() const {
  std::uint64_t behind = 0;
  for (const auto& file : files_) behind += file->tailer.behind();
  return behind;
}

bool LogFollower::can_read_all() const {
  if (files_.empty()) spdlog::error("no file matches {}", options_.files.front());
  for (const auto& file : files_) {
    const std::string why_not = file->tailer.why_not();
    if (why_not.empty() && file->tailer.has_file()) continue;
    spdlog::error("cannot read {}: {}", file->path, why_not.empty() ? std::strerror(ENOENT) : why_not);
    return false;
  }
  return !files_.empty();
}

std::vector<Line> LogFollower::read(File& file) {
  auto lines = file.tailer.read(Clock::now());
  if (!lines.empty() || options_.follow || file.is_read || file.tailer.has_more()) return lines;
  file.is_read = true;
  return file.tailer.finish();
}

bool LogFollower::has_more() const {
  return std::any_of(files_.begin(), files_.end(), [](const auto& file) { return file->tailer.has_more(); });
}

void LogFollower::read_next() {
  for (std::size_t n = 0; n < files_.size(); ++n) {
    turn_ = turn_ % files_.size();
    File& file = *files_[turn_];
    auto lines = read(file);
    // Finished logs come one after the other, followed ones in turn.
    if (options_.follow || (lines.empty() && !file.tailer.has_more())) ++turn_;
    if (lines.empty()) continue;
    pending_.push_back(make_window(file, std::move(lines)));
    return;
  }
}

LogFollower::Window LogFollower::make_window(File& file, std::vector<Line> lines) const {
  return {&file, LinePublisher::encode(std::move(lines), file.encoder, work_.wants_keys),
          file.tailer.positions()};
}

void LogFollower::note_lives(const Window& window) {
  if (state_ == nullptr || !work_.wants_keys || state_->has_lives(window.file->path, window.positions))
    return;
  auto before = window.positions;
  for (auto& position : before) {
    for (const Line& line : window.batch.lines) {
      if (line.place.life == position.life) position.offset = std::min(position.offset, line.place.offset);
    }
  }
  state_->update(window.file->path, std::move(before));
}

std::string LogFollower::end_key(const std::string& channel) {
  if (!work_.wants_keys) return {};
  Sha256 digest;
  for (const auto& file : files_) {
    if (file->channel != channel) continue;
    for (const auto& position : file->tailer.positions()) {
      digest.add(std::to_string(position.life) + ':' + std::to_string(position.offset) + ' ');
    }
  }
  return "end:" + digest.finish();
}

Ending LogFollower::publish_first(const std::stop_token& stop) {
  Window& window = pending_.front();
  note_lives(window);
  const auto skipped = work_.publisher.counts().skipped;
  const auto ending =
      publisher_.publish(window.file->channel, window.batch, window.file->encoder, stop, [this] {
        if (!is_stopping_) read_next();
      });
  // What follows is still published, but the next start begins before what may be lost.
  is_state_final_ |= options_.repeats_unknown && work_.publisher.counts().skipped > skipped;
  if (ending != Ending::kDone) return ending;
  if (state_ != nullptr && !is_state_final_) state_->update(window.file->path, window.positions);
  pending_.pop_front();
  return ending;
}

Ending LogFollower::publish_all() {
  while (!work_.stop.stop_requested()) {
    const auto seen = watcher_.changes();
    if (Clock::now() - ticked_at_ >= kTick) tick();
    if (pending_.empty()) read_next();
    if (pending_.empty() && !has_more()) {
      if (!options_.follow) return can_read_all() ? Ending::kDone : Ending::kGaveUp;
      watcher_.wait(seen, Clock::now() + kTick, work_.stop);
      continue;
    }
    if (pending_.empty()) continue;
    if (!publisher_.await_turn(pending_.front().batch, work_.stop)) break;
    if (publish_first(work_.stop) == Ending::kGaveUp) return Ending::kGaveUp;
  }
  return Ending::kStopped;
}

bool LogFollower::publish_last() {
  is_stopping_ = true;
  const Grace grace(kGraceTime);
  std::size_t bytes = 0;
  const auto publish_pending = [&] {
    while (!pending_.empty()) {
      const auto& batch = pending_.front().batch;
      for (const auto& message : batch.messages) bytes += message.size();
      if (publish_first(grace.token()) == Ending::kDone) continue;
      spdlog::error("stopped before {} lines, and what follows them, were published", batch.lines.size());
      return false;
    }
    return true;
  };
  do {
    if (!publish_pending()) return false;
    if (bytes < kLastBytesMax) read_next();
  } while (!pending_.empty());
  if (const auto behind = behind_bytes(); bytes >= kLastBytesMax && behind > 0) {
    spdlog::warn("stopped {} before the end{}", bytes_text(behind),
                 state_ != nullptr ? ": the next start goes on there" : "");
    return false;
  }
  if (!options_.end) return true;
  // The channel ends, so nothing more can follow a last line without LF.
  for (const auto& file : files_) {
    auto lines = file->tailer.finish();
    if (lines.empty()) continue;
    pending_.push_back(make_window(*file, std::move(lines)));
    if (!publish_pending()) return false;
  }
  return true;
}

bool LogFollower::publish_ends(const std::stop_token& stop) {
  std::set<std::string> channels;
  for (const auto& file : files_) channels.insert(file->channel);
  for (const auto& channel : channels) {
    if (work_.publisher.publish_end(channel, end_key(channel), stop) == Ending::kDone) continue;
    spdlog::error("stopped before the end of channel {} was published", channel);
    return false;
  }
  return true;
}

}  // namespace weir
