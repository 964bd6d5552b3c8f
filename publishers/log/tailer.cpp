#include "publishers/log/tailer.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace weir {
namespace {

// How many files that the writer may have left are still read.
constexpr std::size_t kLeftMax = 4;

}  // namespace

Tailer::Tailer(Watcher& watcher, const std::string& path, const Options& options)
    : watcher_(watcher), options_(options), watch_(watcher, path) {
  // Fixes the position now: the end to begin at is the present one, however late the first read comes.
  begin();
}

std::vector<Line> Tailer::read(Clock::time_point now) {
  seen_ = watcher_.changes();
  std::vector<Line> lines;
  read_left(now, lines);
  while (lines.empty()) {
    if (!reader_ && !begin()) break;
    // Ask for the next file before the last read of this one: that read then includes all that the writer
    // wrote before it moved on.
    const auto next = watch_.next();
    const bool has_moved_on = next && (next->size() > 0 || watch_.held() > 2);
    if (reader_->read(lines)) {
      grown_at_ = now;
    } else if (has_moved_on) {
      leave(now, lines);
    } else {
      const bool is_quiet = next && now - std::max(grown_at_, next->opened_at()) >= options_.settle;
      if (is_quiet) reader_->finish(lines);
      break;
    }
  }
  return lines;
}

std::vector<Line> Tailer::finish() {
  std::vector<Line> lines;
  if (reader_) reader_->finish(lines);
  return lines;
}

bool Tailer::begin() {
  auto file = watch_.current();
  if (!file) return false;
  const bool skips = file->was_there_at_start && !options_.from_start;
  reader_ = std::make_unique<FileReader>(std::move(file), options_.line_bytes_max);
  if (skips) reader_->skip_to_end();
  return true;
}

void Tailer::leave(Clock::time_point now, std::vector<Line>& lines) {
  spdlog::info("the file was rotated: going on with the new one");
  reader_->finish(lines);
  watch_.drop_current();
  if (left_.size() >= kLeftMax) left_.erase(left_.begin());
  left_.push_back({std::move(reader_), now + options_.linger});
}

void Tailer::read_left(Clock::time_point now, std::vector<Line>& lines) {
  for (auto& left : left_) {
    left.reader->read(lines);
    if (now >= left.until) left.reader->finish(lines);
  }
  std::erase_if(left_, [&](const Left& left) { return now >= left.until; });
}

}  // namespace weir
